/** Lines on the host: to which thread each of them is opened, and when. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToThread } from "../../../src/sidecar/contract.ts";
import { BlockingLines } from "../../../src/sidecar/host/blocking-lines.ts";
import { firstNumber, LINE_IDS, lineOf, Word } from "../../../src/sidecar/line.ts";

test("a line that is made while no thread listens is opened once, by the next thread", (t) => {
  const thread = { listens: false, flush() {}, hung() {} };
  const posted: ToThread[] = [];
  const lines = new BlockingLines(
    "a",
    () => thread,
    (message) => posted.push(message),
  );
  t.after(() => lines.end());
  const words = new Int32Array(lines.create().words);
  assert.deepEqual([posted.length, Atomics.load(words, Word.opened)], [0, 0]);
  assert.equal(lines.openingMessages().length, 1);
  assert.equal(Atomics.load(words, Word.opened), 1);

  thread.listens = true;
  lines.create();
  assert.deepEqual(
    posted.map(({ type }) => type),
    ["line"],
  );
});

test("the end of the lines wakes their callers and refuses new ones", () => {
  const thread = { listens: true, flush() {}, hung() {} };
  const lines = new BlockingLines(
    "a",
    () => thread,
    () => {},
  );
  const words = new Int32Array(lines.create().words);
  lines.end();
  assert.deepEqual(
    [Word.opened, Word.ended, Word.closed].map((word) => Atomics.load(words, word)),
    [1, 1, 1],
  );
  assert.throws(() => lines.create(), /has exited/);
});

test("the ids of lines that are gone are drawn again, and never one that is in use", () => {
  const thread = { listens: false, flush() {}, hung() {} };
  const linesOf = () =>
    new BlockingLines(
      "a",
      () => thread,
      () => {},
    );
  const kept = linesOf();
  const { id: inUse } = kept.create();
  const drawn: number[] = [];
  for (let n = 0; n < LINE_IDS + 10; n++) {
    const lines = linesOf();
    drawn.push(lines.create().id);
    lines.end();
  }
  kept.end();
  assert.ok(!drawn.includes(inUse));
  assert.deepEqual([Math.min(...drawn), Math.max(...drawn), new Set(drawn).size], [1, LINE_IDS, LINE_IDS - 1]);
  const last = firstNumber(LINE_IDS);
  assert.deepEqual([lineOf(last + 1), last + 1 - last], [LINE_IDS, 1]);
});
