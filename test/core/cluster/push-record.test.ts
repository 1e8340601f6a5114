/** The record of what was pushed: who may write it, and when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type PushEffect, type PushRecord, PushRecordKeeper } from "../../../src/core/cluster/push-record.ts";
import type { Cursor } from "../../../src/core/messages/journal.ts";

const at = (seq: number): Cursor => ({ epoch: "e", seq });

function recordOf(by: string, places: Record<string, Cursor> = {}): PushRecord {
  return { by, places: new Map(Object.entries(places)) };
}

/** A keeper that has begun to push: its first write had revision 2. */
function pushing(now = 0): PushRecordKeeper {
  const keeper = new PushRecordKeeper("me");
  keeper.permit(true, now);
  keeper.found(recordOf("other", { a: at(5) }), 1, now);
  assert.deepEqual(typesOf(keeper.written(2, now)), ["push"]);
  return keeper;
}

function typesOf(effects: readonly PushEffect[]): readonly string[] {
  return effects.map(({ type }) => type);
}

describe("a member that begins to push", () => {
  test("looks at the record, takes it over by writing it, and goes on from its places", () => {
    const keeper = new PushRecordKeeper("me");
    assert.deepEqual(keeper.permit(true, 0), [{ type: "look" }]);
    assert.deepEqual(keeper.permit(true, 1), [], "one call at a time");
    const record = recordOf("me", { a: at(5) });
    assert.deepEqual(keeper.found(recordOf("other", { a: at(5) }), 7, 2), [{ type: "write", record, after: 7 }]);
    assert.deepEqual(keeper.written(8, 3), [{ type: "push", places: record.places }]);
    assert.equal(keeper.wakeAt, undefined);
  });

  test("writes the first record where there is none", () => {
    const keeper = new PushRecordKeeper("me");
    keeper.permit(true, 0);
    assert.deepEqual(keeper.found(undefined, 0, 0), [{ type: "write", record: recordOf("me"), after: 0 }]);
  });

  test("looks again if another was faster, and does not push before it has written", () => {
    const keeper = new PushRecordKeeper("me");
    keeper.permit(true, 0);
    keeper.found(undefined, 0, 0);
    assert.deepEqual(keeper.written("lost", 1), [{ type: "look" }]);
    const record = recordOf("me", { a: at(9) });
    assert.deepEqual(keeper.found(recordOf("other", { a: at(9) }), 3, 2), [{ type: "write", record, after: 3 }]);
  });

  test("does not push if it must not any more when the record is written", () => {
    const keeper = new PushRecordKeeper("me");
    keeper.permit(true, 0);
    keeper.found(undefined, 0, 0);
    keeper.permit(false, 1);
    assert.deepEqual(keeper.written(1, 2), []);
  });

  test("says why it does not push while the record cannot be read, and reads it again", () => {
    const keeper = new PushRecordKeeper("me");
    keeper.permit(true, 0);
    assert.deepEqual(keeper.lookFailed("no server", 10), [{ type: "rest", why: "no server" }]);
    assert.deepEqual(keeper.tick(20), []);
    const { wakeAt } = keeper;
    assert.ok(wakeAt !== undefined && wakeAt > 20);
    assert.deepEqual(keeper.tick(wakeAt), [{ type: "look" }]);
  });
});

describe("a member that pushes", () => {
  test("writes the newest places together, one write at a time, and not too often", () => {
    const keeper = pushing();
    assert.deepEqual(keeper.pushed(1, "a", at(6), 1), [], "a write was made just now");
    assert.deepEqual(keeper.pushed(2, "b", at(3), 2), []);
    const due = keeper.wakeAt ?? 0;
    const record = recordOf("me", { a: at(6), b: at(3) });
    assert.deepEqual(keeper.tick(due), [{ type: "write", record, after: 2 }]);
    assert.deepEqual(keeper.pushed(3, "a", at(7), due + 1_000), [], "the write is on its way");
    assert.deepEqual(keeper.written(3, due + 1_001), [{ type: "kept", seq: 2 }]);
    assert.equal(keeper.isKept, false);
    const next = keeper.wakeAt ?? 0;
    assert.ok(next > due + 1_001, "the next write waits");
    assert.deepEqual(typesOf(keeper.tick(next)), ["write"]);
    assert.deepEqual(keeper.written(4, next + 1), [{ type: "kept", seq: 3 }]);
    assert.equal(keeper.isKept, true);
  });

  test("goes on after a write whose outcome nobody knows, if the record is its own", () => {
    const keeper = pushing();
    keeper.pushed(1, "a", at(6), 1_000);
    assert.deepEqual(keeper.written("unknown", 1_001), []);
    assert.deepEqual(keeper.tick(2_000), [{ type: "look" }]);
    const record = recordOf("me", { a: at(6) });
    const effects = keeper.found(recordOf("me", { a: at(6) }), 3, 2_001);
    assert.deepEqual(effects, [{ type: "write", record, after: 3 }]);
    assert.deepEqual(keeper.written(4, 2_002), [{ type: "kept", seq: 1 }]);
  });

  test("rests once another has written, whose places it takes", () => {
    const keeper = pushing();
    keeper.pushed(1, "a", at(6), 1_000);
    assert.deepEqual(keeper.written("lost", 1_001), [{ type: "look" }]);
    keeper.permit(false, 1_002);
    const effects = keeper.found(recordOf("other", { a: at(9) }), 5, 1_003);
    assert.deepEqual(typesOf(effects), ["kept"], "nothing waits any more, and nothing is written");
    keeper.permit(true, 1_100);
    assert.deepEqual(keeper.tick(2_000), []);
    const [push] = keeper.written(6, 2_000);
    assert.deepEqual(push, { type: "push", places: recordOf("me", { a: at(9) }).places });
  });

  test("rests before it takes over again what another has written, though it may push", () => {
    const keeper = pushing();
    keeper.pushed(1, "a", at(6), 1_000);
    keeper.written("lost", 1_001);
    const effects = keeper.found(recordOf("other", { a: at(9) }), 5, 1_002);
    assert.deepEqual(typesOf(effects), ["rest", "kept", "write"]);
    assert.deepEqual(typesOf(keeper.written(6, 1_003)), ["push"]);
  });

  test("rests when it must not push any more, and still writes what is under way", () => {
    const keeper = pushing();
    assert.deepEqual(keeper.permit(false, 1_000), [{ type: "rest" }]);
    assert.deepEqual(typesOf(keeper.pushed(1, "a", at(6), 1_001)), ["write"]);
    assert.deepEqual(keeper.written(3, 1_002), [{ type: "kept", seq: 1 }]);
    assert.deepEqual(typesOf(keeper.permit(true, 2_000)), ["write"], "the write proves that nobody else has");
    assert.deepEqual(typesOf(keeper.written(4, 2_001)), ["push"]);
  });

  test("writes at once what comes while it leaves, and never pushes again", () => {
    const keeper = pushing();
    assert.deepEqual(keeper.end(1), [{ type: "rest" }]);
    assert.deepEqual(typesOf(keeper.pushed(1, "a", at(6), 2)), ["write"]);
    assert.deepEqual(typesOf(keeper.pushed(2, "a", at(7), 3)), []);
    assert.deepEqual(typesOf(keeper.written(3, 4)), ["kept", "write"]);
    assert.deepEqual(typesOf(keeper.written(4, 5)), ["kept"]);
    assert.deepEqual(keeper.permit(true, 6), []);
  });

  test("forgets the places that changed longest ago", () => {
    const keeper = pushing();
    for (let seq = 1; seq < 1_000; seq++) keeper.pushed(seq, `w${seq}`, at(seq), 1);
    keeper.pushed(1_000, "a", at(6), 1);
    keeper.pushed(1_001, "b", at(1), 1);
    const [write] = keeper.tick(keeper.wakeAt ?? 0);
    assert.ok(write?.type === "write");
    const { places } = write.record;
    assert.deepEqual([places.size, places.has("a"), places.has("w1"), places.has("w2")], [1_000, true, false, true]);
  });
});
