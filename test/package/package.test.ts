/**
 * The npm package, installed as the README says and tried. `npm run package` packs it and names the tarball; without
 * that nothing is tried, since it takes a minute.
 */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { Child, type Ran, run } from "../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const tarball = process.env.SIDESOCKET_PACKAGE;
const skip = tarball === undefined && "only in `npm run package`";
const tools = join(root, "test", "package");
const node = (major: number) => join(tools, "node_modules", `node-${major}`, "bin", "node");
/** The files of threads that a bundler which does not find them leaves to its user. */
const THREAD_FILES = ["dist/runtime/sidesocket-thread.mjs", "dist/sidesocket-keeper.mjs"];

describe("the package", { skip: skip || (runtime === "deno" && "it is tried on Deno, too, but from Node") }, () => {
  let folder: string;
  let upstream: Upstream;

  const { SIDESOCKET_PACKAGE, NODE_OPTIONS, NODE_TEST_CONTEXT, ...inherited } = process.env;
  const env = { ...inherited, NO_COLOR: "1" };
  const bin = join("node_modules", "sidesocket", "dist", "cli", "main.js");

  /** Runs a command in the folder where the package is installed; it must succeed. */
  const tried = async (command: string, ...args: readonly string[]): Promise<Ran> => {
    const ran = await run({ command, args, cwd: folder, env, within: 60_000 });
    assert.equal(ran.code, 0, `${basename(command)} ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
    return ran;
  };
  const assertReplies = ({ stdout }: Ran) =>
    assert.deepEqual(JSON.parse(stdout), { replies: ["awaited", "blocked", "kept"], codes: [0, 0] });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-package-"));
    upstream = await startUpstream();
    // CommonJS, as `npm init` has it: a bundle must not depend on "type": "module".
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
    await tried("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", resolve(root, tarball ?? ""));
    await copyFile(join(tools, "program.mjs"), join(folder, "program.mjs"));
    await writeFile(join(folder, "program.cjs"), 'console.log(typeof require("sidesocket").Sidecar.start);');
  });
  after(async () => {
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("its command can be executed, and makes a call", async () => {
    const { stdout } = await tried("npx", "sidesocket", "call", '{"jsonrpc":"2.0","method":"echo","params":[1]}');
    assert.deepEqual(JSON.parse(stdout).result, [1]);
  });

  const runtimes = {
    "the Node of the tests": [nodePath()],
    "Node 22": [node(22)],
    "Node 24": [node(24)],
    Deno: [denoPath(), "run", "--allow-all", "--quiet"],
  } as const;
  for (const [name, [command, ...flags]] of Object.entries(runtimes)) {
    test(`its command and its library work on ${name}`, async () => {
      const echo = '{"jsonrpc":"2.0","method":"echo","params":["call"]}';
      const called = await tried(
        command,
        ...flags,
        bin,
        "call",
        echo,
        "--upstream",
        upstream.url,
        "--pick",
        "/result/0",
      );
      assert.equal(called.stdout, "call\n");
      assertReplies(await tried(command, ...flags, "program.mjs", upstream.url));
    });

    test(`its service starts, replies to a POST and ends by /shutdown on ${name}`, async (t) => {
      const child = await Child.start({ command, args: [...flags, bin, "--port", "0"], cwd: folder, env, t });
      const service = () => /^listening on (\S+)$/m.exec(child.stdout)?.[1];
      await child.until(() => child.exit !== undefined || service() !== undefined, {
        within: 30_000,
        what: "its start",
      });
      const post = async (path: string, body?: string) => {
        const response = await fetch(`${service() ?? assert.fail(child.output())}${path}`, {
          method: "POST",
          ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
        });
        assert.equal(response.status, 200, child.output());
        return (await response.json()) as Record<string, unknown>;
      };
      const reply = await post("/rpc", '{"jsonrpc":"2.0","id":"1","method":"echo","params":["served"]}');
      assert.deepEqual(reply, { jsonrpc: "2.0", id: "1", result: ["served"] });
      assert.equal((await post("/shutdown")).exit_code, 0);
      assert.equal((await child.ended(15_000)).code, 0, child.output());
    });

    test(`it can be required on ${name}`, async () => {
      assert.equal((await tried(command, ...flags, "program.cjs")).stdout, "function\n");
    });
  }

  test("a `require` that cannot load ES modules fails with a sentence that says how", async () => {
    const args = ["--no-experimental-require-module", "program.cjs"];
    const { code, stderr } = await run({ command: nodePath(), args, cwd: folder });
    assert.equal(code, 1);
    assert.match(stderr, /sidesocket is an ES module.*use `await import\("sidesocket"\)`/);
  });

  for (const bundler of ["esbuild", "rollup", "vite"]) {
    test(`${bundler} bundles a program, which says what to copy and runs with it`, async () => {
      await tried(nodePath(), join(tools, "bundle.mjs"), bundler, "program.mjs", bundler);
      const bundle = join(folder, bundler, "program.mjs");
      const { stderr } = await run({ command: nodePath(), args: [bundle, upstream.url], cwd: folder });
      assert.match(stderr, /copy node_modules\/sidesocket\/dist\/runtime\/sidesocket-thread\.mjs there/);
      for (const file of THREAD_FILES) {
        await copyFile(join(folder, "node_modules", "sidesocket", file), join(folder, bundler, basename(file)));
      }
      assertReplies(await tried(nodePath(), bundle, upstream.url));
    });
  }

  test("webpack bundles a program, and finds the files of threads itself", async () => {
    await tried(nodePath(), join(tools, "bundle.mjs"), "webpack", "program.mjs", "webpack");
    assertReplies(await tried(nodePath(), join("webpack", "program.mjs"), upstream.url));
  });

  test("a bundle of CommonJS runs with `threadFile`", async () => {
    const source = `import { Sidecar } from "sidesocket";
      const [, , url, threadFile] = process.argv;
      Sidecar.start({ url, ...(threadFile && { threadFile }) }).then(
        async (sidecar) => {
          console.log(JSON.parse(await sidecar.request('{"jsonrpc":"2.0","id":1,"method":"echo","params":["cjs"]}')).result[0]);
          await sidecar.exit();
        },
        (error) => console.log(error.message),
      );`;
    await writeFile(join(folder, "app.js"), source);
    const esbuild = join(root, "node_modules", "esbuild", "bin", "esbuild");
    await tried(esbuild, "app.js", "--bundle", "--platform=node", "--outfile=app.cjs", "--log-level=error");
    const { stdout } = await tried(nodePath(), "app.cjs", upstream.url);
    assert.match(stdout, /^threadFile: .* no ES module: say with `threadFile`/);
    const file = join("node_modules", "sidesocket", "dist", "runtime", "sidesocket-thread.mjs");
    assert.equal((await tried(nodePath(), "app.cjs", upstream.url, file)).stdout, "cjs\n");
  });
});
