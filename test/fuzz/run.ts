/** A long fuzzing run in its own process: `run.ts SEED MINUTES [TARGET]`, over all targets in turn. */
import process from "node:process";
import { seeded } from "../support/random.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { cacheOf, fuzz, keepFinding } from "./fuzzer.ts";
import { httpTarget } from "./http.ts";
import { pureTargets } from "./targets.ts";

/** The time that a target has before it is the next one's turn. */
const TURN_MS = 10_000;

const [seed = "", minutes = "", only = ""] = process.argv.slice(2);
const begun: (() => Promise<void>)[] = [];
const t: Cleanup = {
  after: (end) => {
    begun.unshift(end);
  },
};
const targets = [...(await pureTargets()), await httpTarget(t)].filter(({ name }) => name.includes(only));
if (targets.length === 0) throw new Error(`no target is named like "${only}"`);
const random = seeded(Number(seed));
const until = performance.now() + Number(minutes) * 60_000;
const turnMs = Math.min(TURN_MS, (Number(minutes) * 60_000) / targets.length);
const totals = new Map(targets.map(({ name }) => [name, { inputs: 0, ways: 0 }]));
let findings = 0;
while (performance.now() < until && findings < 10) {
  for (const target of targets) {
    const turnEnds = performance.now() + turnMs;
    const isOver = (): boolean => performance.now() > turnEnds;
    const { inputs, ways, finding } = await fuzz(target, { random, isOver, keepIn: cacheOf(target.name) });
    const total = totals.get(target.name);
    if (total) Object.assign(total, { inputs: total.inputs + inputs, ways });
    if (finding === undefined) continue;
    findings += 1;
    const path = keepFinding(target.name, finding.input);
    process.stdout.write(`${runtime}: ${target.name}: ${finding.why}\n  kept as ${path}\n`);
  }
}
for (const end of begun) await end();
for (const [name, { inputs, ways }] of totals) {
  process.stdout.write(`${runtime}: ${name.padEnd(36)}${inputs} inputs, ${ways} ways\n`);
}
process.exit(findings === 0 ? 0 : 1);
