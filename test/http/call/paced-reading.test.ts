/** Tests of the turns in which bodies are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pace } from "../../../src/http/call/paced-reading.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("bodies beyond the bytes of a turn pause, and are read on four at a time, the first of them first", async () => {
  const paused = new Set<number>();
  const resumed: number[] = [];
  for (let n = 0; n < 12; n++) {
    const incoming = { pause: () => paused.add(n), resume: () => resumed.push(n) };
    pace(incoming, 64 * 1024);
  }
  assert.deepEqual([...paused], [3, 4, 5, 6, 7, 8, 9, 10, 11]);
  await turn();
  assert.deepEqual(resumed, [3, 4, 5, 6]);
  await turn();
  await turn();
  assert.deepEqual(resumed, [3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("many tiny chunks take their turn as a few large ones do", async () => {
  let pauses = 0;
  for (let n = 0; n < 1_100; n++) pace({ pause: () => pauses++, resume: () => {} }, 1);
  assert.ok(pauses > 0);
  for (let n = 0; n < pauses; n++) await turn();
});
