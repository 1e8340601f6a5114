/**
 * The chaos runs: the product under load while everything around it is broken on purpose, on Node (compiled) and on
 * Deno (from source).
 *
 *   node scripts/chaos.mjs [--node] [--deno] [--seed N] [--minutes M] [--only FAULT]
 *   node scripts/chaos.mjs [--node] [--deno] [--seed N] --isolation REQUESTS
 *
 * Exits with 1 if an invariant did not hold, and prints the seed: the same seed draws the same faults. `--only fuzz`
 * only fuzzes texts. test/chaos/faults.ts has the faults.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { prepareRuntimes, resultOf, runProgram } from "./programs.mjs";

const { values: flags } = parseArgs({
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    minutes: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    isolation: { type: "string" },
  },
});
const run =
  flags.isolation === undefined
    ? ["chaos", flags.seed, flags.minutes, flags.only]
    : ["isolation", flags.seed, flags.isolation];
if (!run.slice(1, 3).every((number) => Number(number) > 0))
  throw new Error(`must be numbers above 0: ${run.slice(1, 3).join(", ")}`);

const runtimes = await prepareRuntimes(flags);
let failed = 0;
for (const runtime of runtimes) if (!(await runOn(runtime))) failed += 1;
process.exit(runtimes.length > 0 && failed === 0 ? 0 : 1);

/** Runs the chaos on one runtime; stderr shows what it breaks. */
async function runOn(runtime) {
  console.log(`${runtime}: ${run.join(" ").trim()}`);
  const ended = await runProgram(runtime, "chaos/run", run);
  const { figures, problems } = resultOf(ended);
  for (const [what, value] of Object.entries(figures)) console.log(`  ${what.padEnd(24)}${value}`);
  for (const problem of problems) console.log(`  NOT OK: ${problem}`);
  if (problems.length === 0) console.log("  ok: every invariant held");
  return problems.length === 0 && ended.code === 0;
}
