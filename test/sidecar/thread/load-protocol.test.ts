/** Protocols are loaded on the thread: what a user's module may do to that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadProtocol } from "../../../src/sidecar/thread/load-protocol.ts";
import { written } from "../../contract/files.ts";

test("a module that takes too long to load is given up, and named", async (t) => {
  const url = pathToFileURL(
    await written(t, "waits.mjs", "await new Promise((resolve) => setTimeout(resolve, 500)); export default {};"),
  ).href;
  await assert.rejects(loadProtocol(url, 100), { message: `${url}: it was not loaded within 0.1 s` });
});

test("a module that cannot be loaded is named with what is wrong", async (t) => {
  const url = pathToFileURL(await written(t, "half.mjs", 'export default { name: "half", encode')).href;
  await assert.rejects(loadProtocol(url), (error) => error instanceof Error && error.message.startsWith(`${url}: `));
});
