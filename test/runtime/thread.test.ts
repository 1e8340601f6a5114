/** The end of a thread that posts until its end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { written } from "../contract/files.ts";
import { runtime as name } from "../support/root.ts";
import { bounded } from "../support/until.ts";

test("a thread's last messages are delivered before its end is told, however many there are", async (t) => {
  const { runtime } =
    name === "deno" ? await import("../../src/runtime/deno.ts") : await import("../../src/runtime/node.ts");
  // More messages than a runtime delivers in one turn: the end is told between two of them.
  const file = await written(
    t,
    "posts.mjs",
    `import { workerData } from "node:worker_threads";
     const { port, lock } = workerData;
     const post = () => {
       port.on("message", () => {
         for (let n = 1; n <= 3_000; n++) port.postMessage(n);
         process.exit(3);
       });
       port.postMessage(0);
     };
     if (lock === "") post();
     else navigator.locks.request(lock, () => { post(); return new Promise(() => {}); });`,
  );
  const thread = runtime.startThread(new URL(`file://${file}`));
  const got: number[] = [];
  thread.port.on("message", (n: number) => {
    got.push(n);
    if (n > 0) return;
    thread.port.postMessage("go");
    const blockedUntil = performance.now() + 100;
    while (performance.now() < blockedUntil);
  });
  const { error, last } = await bounded(thread.ended, { what: "its end" });
  got.push(...(last as number[]));
  assert.equal(got.length, 3_001);
  assert.equal(got.at(-1), 3_000);
  assert.match(String(error), name === "node" ? /ended with code 3/ : /./);
});
