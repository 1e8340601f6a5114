/**
 * The long fuzzing, on Node (compiled) and on Deno (from source), for the given time on each.
 *
 *   node scripts/fuzz.mjs [--node] [--deno] [--seed N] [--minutes M] [--only TARGET]
 *
 * Exits with 1 if an input broke a promise. It is kept in test/fuzz/corpus, which the tests replay. Inputs that only did
 * something new are kept in build/fuzz, from where the next run goes on.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { prepareRuntimes, runProgram } from "./programs.mjs";

const { values: flags } = parseArgs({
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    minutes: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const run = [flags.seed, flags.minutes, flags.only];
for (const number of run.slice(0, 2)) if (!(Number(number) > 0)) throw new Error(`must be a number above 0: ${number}`);

let failed = false;
for (const runtime of await prepareRuntimes(flags)) {
  console.log(`${runtime}: seed ${flags.seed}, ${flags.minutes} minutes`);
  const { code } = await runProgram(runtime, "fuzz/run", run, { show: true });
  if (code !== 0) failed = true;
}
process.exit(failed ? 1 : 0);
