/** The files that threads begin with: where they are looked for, and the errors if they are not there. */
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Sidecar, SidesocketError } from "../../src/index.ts";
import { findThreadFile } from "../../src/library/thread-files.ts";
import { runtime } from "../support/root.ts";

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
