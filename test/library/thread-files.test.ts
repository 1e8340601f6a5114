/** The files that threads begin with: where they are looked for, and the errors if they are not there. */
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Sidecar, SidesocketError } from "../../src/index.ts";
import { findThreadFile } from "../../src/library/thread-files.ts";
import { written } from "../contract/files.ts";
import { run } from "../support/child.ts";
import { denoPath, runtime } from "../support/root.ts";

const here = new URL(import.meta.url);
const missing = new URL("./missing.mjs", here);
const unknown = (): URL => new URL("./sidesocket-thread.mjs", undefined);

const refusal =
  (...parts: readonly string[]) =>
  (error: unknown) => {
    assert.ok(error instanceof SidesocketError);
    assert.equal(error.code, "invalid_config");
    for (const part of parts) assert.ok(error.message.includes(part), error.message);
    return true;
  };

test("a thread's file is the one that the program names, as path, URL or text of a URL, else the one beside", () => {
  const path = relative(process.cwd(), fileURLToPath(here));
  for (const given of [path, fileURLToPath(here), here, here.href]) {
    assert.equal(findThreadFile("threadFile", given, unknown).href, here.href);
  }
  assert.equal(findThreadFile("threadFile", undefined, () => here).href, here.href);
  const served = "https://example.org/sidesocket-thread.ts";
  assert.equal(findThreadFile("threadFile", served, unknown).href, served);
});

test("a bundle that does not know its own place is told to name the file", () => {
  const said = refusal("say with `keeperFile` where node_modules/sidesocket/dist/sidesocket-keeper.mjs is");
  assert.throws(() => findThreadFile("keeperFile", undefined, unknown), said);
});

test("a thread's file that is not there is an error with its place and the file to copy", {
  skip: runtime === "deno" && "a program on Deno may run files that it may not look for",
}, async () => {
  const said = refusal(missing.href, "copy node_modules/sidesocket/dist/runtime/sidesocket-thread.mjs there");
  assert.throws(() => findThreadFile("threadFile", undefined, () => missing), said);
  const url = "ws://127.0.0.1:9";
  await assert.rejects(Sidecar.start({ url, threadFile: missing }), said);
  await assert.rejects(Sidecar.start({ url, threadFile: join(dirname(fileURLToPath(here)), "missing.mjs") }), said);
  const keeper = refusal(pathToFileURL("/missing.mjs").href, "dist/sidesocket-keeper.mjs there");
  assert.throws(() => Sidecar.startSync({ url, keeperFile: "/missing.mjs" }), keeper);
});

test("a thread begins with a module from a server, as Deno has those of its registry", {
  skip: runtime === "node" && "only Deno runs modules from a server",
}, async (t) => {
  const program = `
    import { createServer } from "node:http";
    import { startWorker } from ${JSON.stringify(new URL("../../src/runtime/thread.ts", here).href)};
    const entry = 'import { workerData } from "node:worker_threads"; workerData.port.postMessage(import.meta.url);';
    const server = createServer((_, response) => response.setHeader("content-type", "text/javascript").end(entry));
    server.listen(0, "127.0.0.1", () => {
      const thread = startWorker(new URL(\`http://127.0.0.1:\${server.address().port}/thread.js\`), "");
      thread.port.once("message", (url) => {
        console.log(new URL(url).pathname);
        thread.terminate();
        server.close();
      });
    });`;
  const file = await written(t, "program.mjs", program);
  // Without the lockfile of the repository, which has no module of a server.
  const args = ["run", "--no-config", "--no-lock", "--quiet", "--no-prompt", "--allow-all", file];
  const { code, stdout, stderr } = await run({ command: denoPath(), args });
  assert.deepEqual([code, stdout], [0, "/thread.js\n"], stderr);
});
