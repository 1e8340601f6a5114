/** The recipes of docs/recipes: each configuration serves, and each command prints what its page says. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { presetNames } from "../../../src/protocols/presets.ts";
import { run } from "../../support/child.ts";
import { type Product, startProduct } from "../../support/product.ts";
import { root } from "../../support/root.ts";
import { type Cleanup, until } from "../../support/until.ts";
import { lacks } from "../programs.ts";
import { faultOf, parseRecipe, programOf, type Recipe, reaching, variablesIn } from "./recipe-page.ts";
import { type RecipeUpstream, softwareOf, startRecipeUpstream } from "./recipe-upstreams.ts";

const FOLDER = join(root, "docs", "recipes");
const INDEX = "README.md";

/** In the place of a recipe's own credentials. */
const CREDENTIALS = join(root, "test", "real", "recipes", "credentials.mjs");

/** Printed by the shell after each command. */
const END = "\u0001";

const names = (await readdir(FOLDER))
  .filter((file) => file.endsWith(".md") && file !== INDEX)
  .map((file) => file.replace(/\.md$/, ""));
const recipes = await Promise.all(
  names.map(async (name) => parseRecipe(name, await readFile(join(FOLDER, `${name}.md`), "utf8"))),
);

describe("the recipe of", { skip: lacks("curl", "jq") }, () => {
  const cleanups: (() => unknown)[] = [];
  const t: Cleanup = { after: (cleanup) => cleanups.push(cleanup) } as Cleanup;
  const started = new Map<string, RecipeUpstream | Error>();
  let product: Product;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-recipes-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const upstreams: Record<string, object> = {};
    const env: Record<string, string> = {};
    const start = async (recipe: Recipe): Promise<void> => {
      const { name, upstream } = recipe;
      if (softwareOf(name)?.skip) return;
      const server = await startRecipeUpstream(name, t).catch((error: Error) => error);
      started.set(name, server);
      if (server instanceof Error) return;
      upstreams[upstream] = reaching(recipe, server.url, CREDENTIALS);
      for (const variable of variablesIn(recipe)) env[variable] = server.env?.[variable] ?? variable;
    };
    await Promise.all(recipes.map(start));
    product = await startProduct({ config: { upstreams }, env, t });
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  for (const recipe of recipes) {
    const { name, upstream, settings, steps } = recipe;
    test(name, { skip: softwareOf(name)?.skip ?? false }, async () => {
      const server = started.get(name);
      if (server === undefined || server instanceof Error) throw server ?? new Error("it was not started");
      if (!("instances" in settings)) {
        let state: unknown;
        const isReady = async () => {
          state = await product.state(upstream);
          return (state as { readonly phase?: unknown }).phase === "ready";
        };
        const what = () => `${upstream} to be ready: ${JSON.stringify(state)} ${server.faults?.()}`;
        // Software that loses a greeting, as ocpp-rpc does on Deno now and then, gets some more tries of 5 s.
        await until(isReady, { what, every: 20, within: 30_000 });
      }
      const program = programOf(recipe, product.url, END);
      const { stdout, stderr } = await run({
        command: "sh",
        args: ["-c", program],
        cwd: folder,
        env: { ...process.env, ...server.env },
        within: 30_000,
      });
      const outputs = stdout.split(END);
      assert.equal(outputs.length, steps.length + 1, `the shell ended early: ${stderr}`);
      const faults = steps.flatMap((step, index) => faultOf(step, outputs[index] ?? "") ?? []);
      assert.deepEqual([...faults, ...(server.faults?.() ?? [])], [], product.child.output().slice(-2_000));
    });
  }
});

describe("the pages of the recipes", () => {
  test("are there for every preset", () => {
    assert.deepEqual(
      presetNames.filter((name) => !names.includes(name)),
      [],
    );
  });

  test("are all in the index, and have a name of their own for their upstream", async () => {
    const index = await readFile(join(FOLDER, INDEX), "utf8");
    const linked = Array.from(index.matchAll(/^\| \[`?[^\]]+\]\(([^)]+)\.md\)/gm), ([, name]) => name);
    assert.deepEqual([...linked].sort(), [...names].sort());
    const upstreams = recipes.map(({ upstream }) => upstream);
    assert.deepEqual(
      upstreams.filter((upstream, at) => upstreams.indexOf(upstream) !== at),
      [],
    );
  });

  test("have three commands with curl at least, and end with what is not possible", async () => {
    for (const { name, steps } of recipes) {
      assert.ok(steps.filter(({ command }) => /\bcurl\b/.test(command)).length >= 3, name);
      const page = await readFile(join(FOLDER, `${name}.md`), "utf8");
      assert.match(page, /^## Not possible$/m, name);
    }
  });

  test("have a recording each, where there is no software to start, and no other", async () => {
    const recordings = await readdir(join(FOLDER, "recordings"));
    const wanted = names.filter((name) => softwareOf(name) === undefined).map((name) => `${name}.ndjson`);
    assert.deepEqual([...recordings].sort(), wanted.sort());
  });
});

describe("a page", () => {
  const page = (output: string, more = "") =>
    parseRecipe(
      "a",
      `# A\n\n\`\`\`yaml\nupstreams: { a: { url: "wss://example.org/b?c=1" } }\n${more}\`\`\`\n\n` +
        `\`\`\`console\n$ curl \\\n    http://127.0.0.1:8787/v1\n${output}$ echo 2\n2\n\`\`\`\n`,
    );

  test("gives its commands, and the output of each", () => {
    const { steps } = page("one\ntwo\n");
    assert.deepEqual(steps, [
      { command: "curl \\\n    http://127.0.0.1:8787/v1", output: "one\ntwo\n" },
      { command: "echo 2", output: "2\n" },
    ]);
    const program = programOf(page(""), "http://127.0.0.1:1", "|");
    assert.equal(program, "curl \\\n    http://127.0.0.1:1/v1\nprintf '|'\necho 2\nprintf '|'\n");
  });

  test("is wrong about every output that it does not have, and about one of which it says nothing", () => {
    const isRight = (output: string, printed: string): boolean => {
      const [step] = page(output).steps;
      return step !== undefined && faultOf(step, printed) === undefined;
    };
    assert.deepEqual([isRight('{"a":1}\n', '{"a":1}'), isRight('{"a":1}\n', '{"a":1}\n')], [true, true]);
    assert.deepEqual([isRight('{"a":1}\n', '{"a":2}'), isRight('{"a":1}\n', "")], [false, false]);
    assert.deepEqual([isRight('{"a":1}\n', '{"a":1}{"b":2}'), isRight("", '{"a":1}')], [false, false]);
    assert.deepEqual([isRight('{"a":…}\n', '{"a":[1,2]}'), isRight('{"a":…}\n', '{"b":1}')], [true, false]);
    assert.deepEqual([isRight('{"a":…}\n', '{"a":1}\n{"b":2}'), isRight("…\n", "anything")], [false, false]);
    assert.deepEqual([isRight("", ""), isRight("a.c\n", "abc")], [true, false]);
  });

  test("keeps the path of its address, unless the server has one of its own, and all but its credentials", () => {
    const at = (url: string) => reaching(page(""), url, "./b.mjs");
    assert.deepEqual(at("ws://127.0.0.1:9/"), { url: "ws://127.0.0.1:9/b?c=1" });
    assert.equal(at("ws://127.0.0.1:9/d").url, "ws://127.0.0.1:9/d");
    const page2 = parseRecipe("a", '```yaml\nupstreams: { a: { url: "wss://b/", credentials: ./a.mjs } }\n```\n');
    assert.equal(reaching(page2, "ws://127.0.0.1:9/", "./b.mjs").credentials, "./b.mjs");
  });

  test("is refused with two upstreams, with other settings, and without a configuration", () => {
    assert.throws(() => page("", "listen: { port: 1 }\n"), /one upstream, and nothing else/);
    assert.throws(() => parseRecipe("a", "```yaml\nupstreams: { a: {}, b: {} }\n```\n"), /one upstream/);
    assert.throws(() => parseRecipe("a", "# A\n"), /no block of yaml/);
  });

  test("names its variables", () => {
    const recipe = parseRecipe(
      "a",
      '```yaml\nupstreams: { a: { url: "wss://b/?c=${D_E}", x: "$${F} ${conn:g}" } }\n```\n',
    );
    assert.deepEqual(variablesIn(recipe), ["D_E"]);
  });
});
