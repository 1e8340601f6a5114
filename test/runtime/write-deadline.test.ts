/** Tests of the deadline by which a reader must take its response. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { WriteDeadline } from "../../src/runtime/write-deadline.ts";

/** A socket as far as the deadline looks at it. */
function socket() {
  const state = { bytesWritten: 100, writableLength: 50, _httpMessage: { writableEnded: true } };
  return { state, socket: state as unknown as Socket };
}

test("a reader that takes nothing of a complete response for ten seconds is over its deadline", () => {
  const deadline = new WriteDeadline();
  const { socket: reader } = socket();
  assert.deepEqual(
    [0, 5_000, 9_999, 10_000].map((now) => deadline.isOver(reader, now)),
    [false, false, false, true],
  );
});

test("progress, and a response that goes on, put the deadline off", () => {
  const deadline = new WriteDeadline();
  const { state, socket: reader } = socket();
  const at = (now: number): boolean => deadline.isOver(reader, now);
  assert.equal(at(0), false);
  state.writableLength = 40;
  assert.deepEqual([at(9_000), at(18_000), at(19_000)], [false, false, true]);
  state._httpMessage.writableEnded = false;
  assert.equal(at(20_000), false);
  state._httpMessage.writableEnded = true;
  assert.deepEqual([at(21_000), at(30_000), at(31_000)], [false, false, true]);
});
