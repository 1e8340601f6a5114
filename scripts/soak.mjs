/**
 * The soaks: starts, stops, reconnects and reloads, repeated on Node (compiled) and on Deno (from source), each soak in its own
 * process and with its own table.
 *
 *   node scripts/soak.mjs [--node] [--deno] [--cycles N] [--reconnects N] [--stops N] [--held N] [--reloads N]
 *     [--below-load L]
 *
 * - cycles: start, connect, request and exit of the library, all in one process
 * - reconnects: of one sidecar, whose thread stays
 * - stops: of the whole program, healthy
 * - held: the same, while an upstream, the thread or clients try to hold the stop
 * - reloads: of one service under load, by random files, of which a quarter is wrong
 *
 * Without a number all soaks run, for hours; with some, only those. Stops wait while the machine's load is above L.
 * Exits with 1 if something was left behind or took too long. test/soak/soaks.ts and stops.ts have the limits.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { prepareRuntimes, resultOf, runProgram } from "./programs.mjs";

/** The default number of repetitions, and the average time that one may take before the soak is given up. */
const SOAKS = {
  cycles: { count: "10000", limitMs: 2_000 },
  reconnects: { count: "10000", limitMs: 2_000 },
  stops: { count: "1000", limitMs: 5_000 },
  held: { count: "20", limitMs: 60_000 },
  reloads: { count: "10000", limitMs: 2_000 },
};
const EXTRA_MS = 120_000;
/** A timer with a longer delay would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Memory is sampled after a garbage collection, whose moment the thread does not know: in a soak that keeps one thread,
 * V8 must not postpone collections, or the slope would be that of its young generation.
 */
const MEMORY_FLAGS = ["--expose-gc"];
const EAGER_FLAGS = [...MEMORY_FLAGS, "--max-semi-space-size=1", "--gc-global"];

const { values: flags } = parseArgs({
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    ...Object.fromEntries(Object.keys(SOAKS).map((name) => [name, { type: "string" }])),
    "below-load": { type: "string" },
  },
});
const named = Object.keys(SOAKS).filter((name) => flags[name] !== undefined);
const soaks = named.length > 0 ? named : Object.keys(SOAKS);

const runtimes = await prepareRuntimes(flags);
let soaked = 0;
let failed = 0;
for (const runtime of runtimes) {
  for (const soak of soaks) {
    const result = await run(runtime, soak, flags[soak] ?? SOAKS[soak].count);
    print(result);
    soaked += 1;
    if (result.problems.length > 0) failed += 1;
  }
}
console.log(`\n${soaked} soaks, ${failed} failed`);
process.exit(soaked > 0 && failed === 0 ? 0 : 1);

/** Runs one soak; stderr shows its progress. */
async function run(runtime, soak, count) {
  const v8 = soak === "reconnects" ? EAGER_FLAGS : MEMORY_FLAGS;
  // Waiting for a calm machine has no bound.
  const limitMs = flags["below-load"] === undefined ? EXTRA_MS + Number(count) * SOAKS[soak].limitMs : LONGEST_MS;
  const args = [soak, count, flags["below-load"] ?? "Infinity"];
  const ended = await runProgram(runtime, "soak/run", args, { v8, limitMs: Math.min(limitMs, LONGEST_MS) });
  return { runtime, soak, ...resultOf(ended) };
}

function print({ runtime, soak, figures, problems }) {
  console.log(`\n${runtime}: ${soak}`);
  for (const [what, value] of Object.entries(figures)) console.log(`  ${what.padEnd(46)}${shown(value)}`);
  for (const problem of problems) console.log(`  NOT OK: ${problem}`);
  if (problems.length === 0) console.log("  ok");
}

function shown(value) {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? value : value.toFixed(2);
  return `p50 ${value.p50.toFixed(1)}, p99 ${value.p99.toFixed(1)}, max ${value.max.toFixed(1)} ms`;
}
