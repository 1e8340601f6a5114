/** Tests of answers that wait for the delivery of their message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldAnswers } from "../../../src/core/messages/held-answers.ts";

const answer = (frame: string, withinMs = 100, connection = 1) => ({ connection, frame, adopt: false, withinMs });
const at = (seq: number, journal = "") => ({ journal, seq });
const frames = (answers: readonly { readonly frame: unknown }[]) => answers.map(({ frame }) => frame);

test("an answer is returned once, for a delivery of its message from any journal that keeps it", () => {
  const held = new HeldAnswers();
  held.hold(answer("one"), [at(1)], 0);
  held.hold(answer("two"), [at(2), at(1, "ticks")], 0);
  assert.deepEqual(frames(held.delivered("", [7])), []);
  assert.deepEqual(frames(held.delivered("ticks", [1])), ["two"]);
  assert.deepEqual(frames(held.delivered("", [2, 1])), ["one"], "the second one has gone out");
  assert.deepEqual(held.delivered("", [1]), []);
  assert.deepEqual([held.nextDeadline, held.counters.unanswered], [undefined, 0]);
});

test("an acknowledgement returns the answers to all messages of its journal up to its place, in order", () => {
  const held = new HeldAnswers();
  held.hold(answer("one"), [at(1)], 0);
  held.hold(answer("tick"), [at(1, "ticks")], 0);
  held.hold(answer("two"), [at(2)], 0);
  held.hold(answer("three"), [at(3)], 0);
  assert.deepEqual(frames(held.acknowledged("", 2)), ["one", "two"]);
  assert.deepEqual(frames(held.acknowledged("", 3)), ["three"]);
  assert.deepEqual(frames(held.acknowledged("ticks", 9)), ["tick"]);
  assert.deepEqual([held.nextDeadline, held.counters.unanswered], [undefined, 0]);
});

test("a message that gets its number later keeps its answer", () => {
  const held = new HeldAnswers();
  held.hold(answer("one"), [at(1_000), at(1_001, "ticks")], 0);
  held.move("", 1_000, 3);
  assert.deepEqual(held.acknowledged("", 2), []);
  held.move("ticks", 1_001, 1);
  held.move("ticks", 9, 2);
  assert.deepEqual(held.delivered("", [1_000]), []);
  assert.deepEqual(frames(held.delivered("ticks", [1])), ["one"]);
  assert.deepEqual(held.acknowledged("", 3), []);
});

test("an answer whose message is not delivered in time is dropped and counted", () => {
  const held = new HeldAnswers();
  held.hold(answer("late", 100), [at(1)], 0);
  held.hold(answer("soon", 50), [at(2)], 0);
  assert.equal(held.nextDeadline, 50);
  held.expire(50);
  assert.deepEqual(frames(held.delivered("", [2])), []);
  assert.equal(held.nextDeadline, 100);
  held.expire(99);
  assert.deepEqual(frames(held.delivered("", [1])), ["late"]);
  assert.equal(held.counters.unanswered, 1);
});

test("answers end with their connection, and one whose message is kept nowhere is dropped at once", () => {
  const held = new HeldAnswers();
  held.hold(answer("nowhere"), [], 0);
  held.hold(answer("old", 100, 1), [at(1)], 0);
  held.hold(answer("new", 100, 2), [at(2)], 0);
  held.lost(1);
  assert.deepEqual(frames(held.delivered("", [1, 2])), ["new"]);
  assert.equal(held.counters.unanswered, 2);
});

test("a thousand answers wait at most", () => {
  const held = new HeldAnswers();
  for (let seq = 1; seq <= 1_001; seq++) held.hold(answer(String(seq)), [at(seq)], 0);
  assert.equal(held.counters.unanswered, 1);
  assert.deepEqual(frames(held.delivered("", [1_000, 1_001])), ["1000"]);
});
