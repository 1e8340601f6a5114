/**
 * The chaos runs: the product under load while everything around it is broken on purpose, on Node (compiled) and on
 * Deno (from source).
 *
 *   node scripts/chaos.mjs [--node] [--deno] [--seed N] [--minutes M] [--only FAULT]
 *   node scripts/chaos.mjs [--node] [--deno] [--seed N] --isolation REQUESTS
 *   node scripts/chaos.mjs [--node] [--deno] [--seed N] [--minutes M] [--only FAULT] --cluster [--mixed] [--servers 3]
 *
 * Exits with 1 if an invariant did not hold, and prints the seed: the same seed draws the same faults. `--only fuzz`
 * only fuzzes texts. test/chaos/faults.ts has the faults.
 *
 * `--cluster` breaks three replicas that share an upstream, their message server and the ways between them
 * (test/chaos/cluster-faults.ts). They run on the runtime of the run, or on both with `--mixed`. Three message servers
 * need `NATS_SERVER=/path/to/nats-server`, 2.10 or later.
 */
import { delimiter, dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { denoPath } from "./deno.mjs";
import { compile, prepareRuntimes, resultOf, runProgram } from "./programs.mjs";

const { values: flags } = parseArgs({
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    minutes: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    isolation: { type: "string" },
    cluster: { type: "boolean" },
    mixed: { type: "boolean" },
    servers: { type: "string", default: "1" },
  },
});
const run =
  flags.isolation === undefined
    ? [flags.cluster ? "cluster" : "chaos", flags.seed, flags.minutes, flags.only]
    : ["isolation", flags.seed, flags.isolation];
if (!["1", "3"].includes(flags.servers)) throw new Error(`--servers must be 1 or 3: ${flags.servers}`);
if (!run.slice(1, 3).every((number) => Number(number) > 0))
  throw new Error(`must be numbers above 0: ${run.slice(1, 3).join(", ")}`);

const runtimes = await prepareRuntimes(flags);
if (flags.mixed) {
  // Replicas on Node need the bundle, whatever runs the test, and those on Deno look for it on the path.
  if (!runtimes.includes("node")) await compile();
  process.env.PATH += delimiter + dirname(denoPath());
}
let failed = 0;
for (const runtime of runtimes) if (!(await runOn(runtime))) failed += 1;
process.exit(runtimes.length > 0 && failed === 0 ? 0 : 1);

/** Runs the chaos on one runtime; stderr shows what it breaks. */
async function runOn(runtime) {
  console.log(`${runtime}: ${run.join(" ").trim()}`);
  const ended = await runProgram(runtime, "chaos/run", flags.cluster ? onReplicas(runtime) : run);
  const { figures, problems } = resultOf(ended);
  for (const [what, value] of Object.entries(figures)) console.log(`  ${what.padEnd(24)}${value}`);
  for (const problem of problems) console.log(`  NOT OK: ${problem}`);
  if (problems.length === 0) console.log("  ok: every invariant held");
  return problems.length === 0 && ended.code === 0;
}

function onReplicas(runtime) {
  const other = runtime === "node" ? "deno" : "node";
  const replicas = [runtime, flags.mixed ? other : runtime, runtime];
  return [...run.slice(0, 3), replicas.join(), flags.servers, flags.only];
}
