/** The cluster's rules under faults of every kind, in virtual time. `SEEDS=10000` runs that many. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Sent } from "../../src/errors.ts";
import { ClusterSimulation, type SimulationResult } from "./cluster-simulation.ts";

const SEEDS = Number(process.env.SEEDS ?? 70);
const FIRST = Number(process.env.SEED ?? 1);

test("an upstream has one owner at a time, and an owner again when all is well", (t) => {
  const results: SimulationResult[] = [];
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const result = new ClusterSimulation(seed).run();
    assert.equal(result.broken, undefined, `seed ${seed}: ${result.broken} (SEED=${seed} SEEDS=1 repeats it)`);
    results.push(result);
  }
  const most = (of: (result: SimulationResult) => number) => Math.max(...results.map(of));
  const frames = results.reduce((total, result) => total + result.frames, 0);
  assert.ok(frames > SEEDS * 100, `only ${frames} frames left`);
  t.diagnostic(`${SEEDS} seeds, ${frames} frames; owned again after ${most((one) => one.ownedAfterMs)} ms at most`);
  const told = (sent: Sent) => results.reduce((total, result) => total + result.sent[sent], 0);
  for (const sent of ["yes", "maybe", "no"] as const)
    assert.ok(told(sent) > SEEDS, `"${sent}" was told ${told(sent)} times`);
  t.diagnostic(`sent: yes ${told("yes")}, maybe ${told("maybe")}, no ${told("no")}`);
  t.diagnostic(`handed over after ${most((one) => one.handedOverAfterMs)} ms at most`);
  t.diagnostic(`replaced after ${most((one) => one.replacedAfterMs)} ms at most`);
});
