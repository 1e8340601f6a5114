/** Tests of loading protocol modules that do not load. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadProtocol } from "../../../src/sidecar/thread/load-protocol.ts";
import { written } from "../../contract/files.ts";

test("a module that takes too long to load is given up, and named in the error", async (t) => {
  const url = pathToFileURL(
    await written(t, "waits.mjs", "await new Promise((resolve) => setTimeout(resolve, 500)); export default {};"),
  ).href;
  await assert.rejects(loadProtocol(url, undefined, 100), { message: `${url}: it was not loaded within 0.1 s` });
});

test("a module that cannot be loaded is named in the error", async (t) => {
  const url = pathToFileURL(await written(t, "half.mjs", 'export default { name: "half", encode')).href;
  await assert.rejects(loadProtocol(url), (error) => error instanceof Error && error.message.startsWith(`${url}: `));
});
