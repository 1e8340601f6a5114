/** Tests of the order in which a connection's frames are handled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrivals } from "../../../src/sidecar/thread/arrivals.ts";

/** Arrivals whose turns come when `turn` is called, and a log of what happens. */
function scene() {
  const log: string[] = [];
  const turns: (() => void)[] = [];
  const arrivals = new Arrivals({
    work: (does, argument) => does(argument),
    hold: () => log.push("hold"),
    release: () => log.push("release"),
    takeTurn: (work) => turns.push(work),
  });
  function* handling(name: string, steps: number): Generator<undefined, void> {
    for (let step = 1; step <= steps; step++) {
      log.push(`${name}${step}`);
      yield;
    }
    log.push(name);
  }
  return {
    log,
    arrivals,
    add: (name: string, steps = 0) => arrivals.add(handling(name, steps)),
    turn: () => turns.shift()?.(),
    pending: () => turns.length,
  };
}

test("a frame of one step is handled at once", () => {
  const { log, arrivals, add, pending } = scene();
  add("a");
  arrivals.end(() => log.push("end"));
  assert.deepEqual([log, pending()], [["a", "end"], 0]);
});

test("frames behind a large one wait for it, and the socket is not read meanwhile", () => {
  const { log, arrivals, add, turn, pending } = scene();
  add("a", 2);
  add("b");
  add("c", 1);
  add("d");
  assert.deepEqual([log, arrivals.isEmpty], [["a1", "hold"], false]);
  turn();
  turn();
  assert.deepEqual(log, ["a1", "hold", "a2", "a", "b", "c1"]);
  turn();
  assert.deepEqual(log.slice(6), ["c", "d", "release"]);
  assert.deepEqual([arrivals.isEmpty, pending()], [true, 0]);
});

test("the end comes after every frame that has arrived", () => {
  const { log, arrivals, add, turn } = scene();
  add("a", 1);
  add("b");
  arrivals.end(() => log.push("end"));
  turn();
  assert.deepEqual(log, ["a1", "hold", "a", "b", "end"]);
});

test("discarding drops the frames that wait, and the end comes at once", () => {
  const { log, arrivals, add, turn } = scene();
  add("a", 1);
  add("b");
  arrivals.end(() => log.push("end"));
  arrivals.discard();
  turn();
  assert.deepEqual(log, ["a1", "hold", "end"]);
});
