/** The pages of the documents: each command in their fences is run, and prints what the page says. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { parseCommandLine } from "../../../src/config/commandline.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { startDemo } from "../../../src/demo/demo-upstream.ts";
import { Child, run } from "../../support/child.ts";
import { type Product, productCommand, startProduct } from "../../support/product.ts";
import { denoPath, root, runtime } from "../../support/root.ts";
import { type Cleanup, until } from "../../support/until.ts";
import { lacks, lacksPhp } from "../programs.ts";
import { parseRecipe, reaching, variablesIn } from "../recipes/recipe-page.ts";
import { startRecipeUpstream } from "../recipes/recipe-upstreams.ts";
import { compare, fencesOf, type PageStep, parsePage, resolve, type Values } from "./page.ts";

/** The place of the service in the commands. */
const SERVICE = "http://127.0.0.1:8787";

/** The address of an upstream, and its host with the port. */
const ADDRESS = /wss?:\/\/([\w.-]+(?::\d+)?)[\w/.-]*/;

/** The commands of a page that need one of these are not run where it is not installed, and the page counts as skipped. */
const PROGRAMS = ["php", "python3", "docker", "jq", "kubectl", "systemd-analyze", "nginx", "caddy"] as const;

/** The start of the README, on this runtime. */
const START = runtime === "deno" ? (["deno", "task", "start"] as const) : (["npm", "start"] as const);

/** The commands that no test runs, by page: each says why in the page. */
const NOT_RUN: Readonly<Record<string, number>> = {
  "README.md": 2,
  "docs/benchmarks/README.md": 6,
  "docs/commands.md": 3,
  "docs/configuration.md": 4,
  "docs/deploy/compose.md": 4,
  "docs/deploy/docker.md": 2,
  "docs/deploy/kubernetes.md": 11,
  "docs/deploy/systemd.md": 3,
  "docs/deploy/windows.md": 15,
  "docs/exit-protocol.md": 1,
  "docs/getting-started.md": 3,
  "docs/guides/chrome-devtools.md": 2,
  "docs/guides/ethereum.md": 1,
  "docs/guides/exchange.md": 2,
  "docs/guides/graphql.md": 1,
  "docs/guides/home-assistant.md": 1,
  "docs/http-api.md": 6,
  "docs/library.md": 1,
  "docs/observability.md": 4,
  "docs/presets.md": 6,
  "docs/protocols.md": 5,
  "docs/recordings.md": 2,
  "docs/runtimes.md": 3,
  "docs/scale.md": 3,
};

const names = ["README.md", ...(await pagesIn("docs"))];
const texts = new Map<string, string>();
for (const name of names) texts.set(name, await readFile(join(root, name), "utf8"));
const pages = new Map(Array.from(texts, ([name, text]) => [name, parsePage(text)] as const));
const [readme = "", benchmarks = ""] = ["README.md", "docs/benchmarks/README.md"].map((name) => texts.get(name));

/** Recipes have a test of their own, and decisions are no instructions. */
async function pagesIn(folder: string): Promise<string[]> {
  const files = await readdir(join(root, folder), { recursive: true });
  return files
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".md") && !/^docs\/(?:recipes|decisions)\//.test(file))
    .sort();
}

/** The folder of a page, and its upstream if it reads messages, which others must not cause. */
function nameOf(page: string): string {
  return `p-${page.replaceAll(/\W+/g, "-")}`.slice(0, 60);
}

function upstreamOf(page: string): string {
  const { steps = [], files = [] } = pages.get(page) ?? {};
  const texts = [...steps.map(({ command }) => command), ...files.map(({ text }) => text)];
  const reads = texts.some((text) => /messages|subscri|"sleep"|upstreams\/default$/.test(text));
  return reads ? nameOf(page) : "p-shared";
}

/** The commands cost a start each, of a second on Deno: there, those of the pages about them are enough. */
const WITH_COMMANDS: ReadonlySet<string> = new Set(["README.md", "docs/commands.md"]);

function isRun(page: string, step: PageStep): boolean {
  if (step.notRun !== undefined) return false;
  if (runtime === "node") return !needs(step, "deno");
  return WITH_COMMANDS.has(page) || !needs(step, "sidesocket");
}

describe("the commands of", { skip: lacks("curl", "sh", "timeout"), concurrency: 4 }, () => {
  const cleanups: (() => unknown)[] = [];
  const t: Cleanup = { after: (cleanup) => cleanups.push(cleanup) } as Cleanup;
  const urls = new Map<string, string>();
  let product: Product;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-pages-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const demo = await startDemo();
    cleanups.push(() => demo.stop());
    const steps = [...pages.values()].flatMap((page) => page.steps);
    const recipes = new Set(steps.flatMap(({ upstream }) => upstream ?? []));
    const upstreams: Record<string, object> = {};
    const env: Record<string, string> = {};
    for (const [name, { steps }] of pages) {
      if (name !== "README.md" && steps.some((step) => isRun(name, step) && step.upstream === undefined))
        // A pong that came by chance after a message would prove that it had arrived: "sent" would be another one.
        upstreams[upstreamOf(name)] = { url: demo.url, keepalive: { ping: "10m" } };
    }
    for (const name of recipes) {
      const recipe = parseRecipe(name, await readFile(join(root, "docs", "recipes", `${name}.md`), "utf8"));
      const server = await startRecipeUpstream(name, t);
      urls.set(name, server.url);
      upstreams[name] = reaching(recipe, server.url, "");
      for (const variable of variablesIn(recipe)) env[variable] = server.env?.[variable] ?? variable;
    }
    product = await startProduct({ config: { upstreams }, env, t });
    await until(async () => (await product.fetch("/readyz")).ok, { what: "every upstream to be ready", every: 20 });
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  test(`README.md, in front of \`${START.join(" ")}\``, { skip: lacks(START[0]) }, async (t) => {
    const [command, ...args] = START;
    const env = { ...process.env, PORT: "0", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    const child = await Child.start({ command: command === "deno" ? denoPath() : command, args, cwd: root, env, t });
    const listening = () => /^listening on (\S+)$/m.exec(child.stdout)?.[1];
    await child.until(() => child.exit !== undefined || listening() !== undefined, {
      within: 30_000,
      what: "its start",
    });
    const service = listening() ?? assert.fail(child.output());
    const { steps } = pages.get("README.md") ?? assert.fail();
    const isLast = ({ command }: PageStep) => command.includes("/shutdown");
    const inOrder = [...steps.filter((step) => !isLast(step)), ...steps.filter(isLast)];
    assert.deepEqual(await faultsOf("README.md", inOrder, { service, upstream: "default" }, folder), []);
    assert.equal((await child.ended(15_000)).code, 0, child.output());
  });

  for (const [name, { steps, files }] of pages) {
    if (name === "README.md" || !steps.some((step) => isRun(name, step))) continue;
    test(name, async (t) => {
      const cwd = join(folder, nameOf(name));
      await mkdir(cwd);
      const place: Place = { service: product.url, upstream: upstreamOf(name) };
      for (const file of files) await writeFile(join(cwd, file.name), placed(file.text, place));
      const needed = PROGRAMS.filter((program) => steps.some((step) => needs(step, program)));
      const missing = lacks(...needed) || (needed.includes("php") && lacksPhp());
      const able = missing ? steps.filter((step) => !PROGRAMS.some((program) => needs(step, program))) : steps;
      assert.deepEqual(await faultsOf(name, able, place, cwd), []);
      if (missing) t.skip(missing);
    });
  }

  /** Runs the steps of a page, and returns what the page does not say. */
  async function faultsOf(name: string, steps: readonly PageStep[], place: Place, cwd: string): Promise<string[]> {
    let values: Values = new Map();
    const faults: string[] = [];
    for (const step of steps) {
      if (!isRun(name, step)) continue;
      const printed = await printedBy(step, values, place, cwd);
      if (step.output === undefined) continue;
      const outcome = compare(step.output, printed, values);
      if (typeof outcome === "string") faults.push(`${name}:${step.line}: ${step.command}\n${outcome}`);
      else values = outcome;
    }
    return faults;
  }

  /** Runs a command in a shell, where `sidesocket` and `npx sidesocket` are this one, on the runtime of the test. */
  async function printedBy(step: PageStep, values: Values, place: Place, cwd: string): Promise<string> {
    const upstream = step.upstream ?? place.upstream;
    const url = step.upstream === undefined ? undefined : urls.get(step.upstream);
    const { command, args } = productCommand([]);
    const shell = [
      "exec 2>&1",
      'curl() { command curl -s "$@"; }',
      `sidesocket() { ${[command, ...args].map(quoted).join(" ")} "$@"; }`,
      'npx() { shift; sidesocket "$@"; }',
      ...(runtime === "deno" ? [`deno() { ${quoted(denoPath())} "$@"; }`] : []),
      placed(resolve(step.command, values), { ...place, upstream }, url),
    ].join("\n");
    const { stdout, code } = await run({
      // It ends what the shell has started, too.
      command: "timeout",
      args: ["40", "sh", "-c", shell],
      cwd: / (?:src|ops)\//.test(step.command) ? root : cwd,
      env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      within: 45_000,
    });
    if (step.output === undefined) assert.equal(code, 0, `line ${step.line}: ${step.command}\n${stdout}`);
    const [address = ""] = ADDRESS.exec(step.command) ?? [];
    const text = stdout.replaceAll("\r", "");
    const there = url === undefined ? text : text.replaceAll(`${url}/`, url).replaceAll(url, address);
    return there
      .replaceAll(place.upstream, "default")
      .replaceAll(`"upstream":"${upstream}"`, '"upstream":"default"')
      .replaceAll(product.url, SERVICE);
  }
});

interface Place {
  readonly service: string;
  readonly upstream: string;
}

/** A text with the service of the test, and the page's own upstream, in the place of those of the page. */
function placed(text: string, { service, upstream }: Place, url?: string): string {
  const there = text
    .replaceAll(/(?<=8787\/)rpc\b/g, `rpc/${upstream}`)
    .replaceAll(/(?<=8787\/)graphql\b/g, `graphql/${upstream}`)
    .replaceAll("/v1/upstreams/default", `/v1/upstreams/${upstream}`)
    .replaceAll(`--service ${SERVICE}`, `--service ${SERVICE} --to ${upstream}`)
    .replaceAll(SERVICE, service);
  if (url === undefined) return there;
  const [address = "", host = ""] = ADDRESS.exec(there) ?? [];
  return address === "" ? there : there.replaceAll(address, url).replaceAll(host, new URL(url).host);
}

function needs({ command }: PageStep, program: string): boolean {
  return new RegExp(`\\b${program}\\b`).test(command);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

describe("the pages", () => {
  test("have few commands that are not run, each with its reason", () => {
    const counts = Array.from(
      pages,
      ([name, { steps }]) => [name, steps.filter(({ notRun }) => notRun).length] as const,
    );
    assert.deepEqual(Object.fromEntries(counts.filter(([, count]) => count > 0)), NOT_RUN);
  });

  test("have commands that a shell and sidesocket can read, also those that are not run", async () => {
    for (const [name, { steps }] of pages) {
      const notRun = steps.filter((step) => step.notRun !== undefined && !step.notRun.includes("PowerShell"));
      for (const { command, line } of notRun) {
        const [, words = ""] =
          /^(?:\w+=\S+ )*(?:npx )?sidesocket ((?:'[^']*'|[^'"|>])*)/.exec(command.replaceAll("\\\n", " ")) ?? [];
        const argv = Array.from(words.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, bare]) => quoted ?? bare ?? "");
        if (argv.length > 0 && !command.includes("$("))
          assert.doesNotThrow(() => parseCommandLine(argv), `${name}:${line}`);
      }
      const input = notRun.map(({ command }) => command).join("\n");
      const { stderr } = await run({ command: "sh", args: ["-n"], env: process.env, input });
      assert.equal(stderr, "", name);
    }
  });

  test("of the benchmarks have the figures of the README", () => {
    const figures = Array.from(
      readme.split("## Instead of")[1]?.matchAll(/\d+,\d+|\d+\.\d+/g) ?? [],
      ([figure]) => figure,
    );
    assert.ok(figures.length >= 8);
    assert.deepEqual(
      figures.filter((figure) => !benchmarks.includes(` ${figure} |`)),
      [],
    );
  });

  test("of troubleshooting has an entry for every code of a failure, with its cause, its sight and its cure", async () => {
    const source = await readFile(join(root, "src", "errors.ts"), "utf8");
    const [, union = ""] = /export type ErrorCode =([^;]*);/.exec(source) ?? [];
    const codes = Array.from(union.matchAll(/"(\w+)"/g), ([, code]) => code);
    assert.ok(codes.length > 20);
    const entries = (texts.get("docs/operate/troubleshooting.md") ?? "").split(/^### /m).slice(1);
    assert.deepEqual(entries.map((entry) => /^`(\w+)`/.exec(entry)?.[1]).sort(), codes.sort());
    const parts = /^`\w+`\n\n- \*\*Cause:\*\* .+\n- \*\*See:\*\* .+\n- \*\*Cure:\*\* .+\n/;
    assert.deepEqual(
      entries.filter((entry) => !parts.test(entry)),
      [],
    );
  });

  test("have configurations that the service accepts", async () => {
    for (const [name, text] of texts) {
      for (const { language, lines, line } of fencesOf(text)) {
        const settings: unknown = language === "yaml" ? parse(lines.join("\n")) : undefined;
        if (typeof settings !== "object" || settings === null || !("upstreams" in settings)) continue;
        const named = lines.join("\n").matchAll(/\$\{(\w+)\}/g);
        const env = Object.fromEntries(Array.from(named, ([, variable]) => [variable, "a value"]));
        const readFile = async () => lines.join("\n");
        const loaded = loadConfig({ flags: { config: "page.yaml" }, env, cwd: "/", readFile });
        await loaded.catch((error: Error) => assert.fail(`${name}:${line}: ${error.message}`));
      }
    }
  });
});
