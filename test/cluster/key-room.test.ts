/** Tests of the room for new keys in a bucket that several members fill. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyRoom } from "../../src/cluster/key-room.ts";

/** @returns how many keys may be made now */
function taken(room: KeyRoom, now: number): number {
  let count = 0;
  while (count < 1_000 && room.take(now)) count++;
  return count;
}

test("a member makes no key before they were counted, and then a share of what is free", () => {
  const room = new KeyRoom(3_200);
  assert.equal(room.take(0), false);
  assert.equal(room.counted(0, 0, 0), true);
  assert.equal(taken(room, 0), 100);
  assert.equal(room.counted(1_500, 100, 0), true);
  assert.equal(taken(room, 999), 50);
});

test("the last keys are made one by one, and none beyond them", () => {
  const room = new KeyRoom(10);
  assert.equal(room.counted(9, 0, 0), true);
  assert.equal(taken(room, 0), 1);
  assert.equal(room.counted(9, 1, 0), false);
  assert.equal(taken(room, 0), 0);
  assert.equal(room.counted(11, 0, 0), false);
  assert.equal(taken(room, 0), 0);
});

test("a count holds for a second", () => {
  const room = new KeyRoom(10);
  room.counted(0, 0, 0);
  assert.equal(room.take(1_000), false);
  room.counted(0, 0, 1_000);
  assert.equal(room.take(1_999), true);
});
