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
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { denoPath } from "./deno.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

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

const onDeno = "Deno" in globalThis;
const runtimes = ["node", "deno"].filter((name) => flags[name] || (!flags.node && !flags.deno));
if (onDeno && runtimes.includes("node")) {
  console.error("Node is skipped under Deno: use npm run chaos");
  runtimes.splice(runtimes.indexOf("node"), 1);
}
if (runtimes.includes("node")) compile();

let running;
process.once("exit", () => running && endGroup(running));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

let failed = 0;
for (const runtime of runtimes) if (!(await runOn(runtime))) failed += 1;
process.exit(runtimes.length > 0 && failed === 0 ? 0 : 1);

function compile() {
  for (const project of ["tsconfig.json", "tsconfig.test.json"]) {
    const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project], {
      stdio: "inherit",
    });
    if (status !== 0) process.exit(1);
  }
}

function command(runtime) {
  if (runtime === "node") return [process.execPath, ["--enable-source-maps", "build/test/chaos/run.js", ...run]];
  return [denoPath(), ["run", "--quiet", "--allow-all", "--no-check", "--no-prompt", "test/chaos/run.ts", ...run]];
}

/** Runs the chaos on one runtime. Its last line of output is the result; stderr shows what it breaks. */
async function runOn(runtime) {
  console.log(`${runtime}: ${run.join(" ").trim()}`);
  const [program, args] = command(runtime);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  // A group of its own, so that no child outlives it.
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], detached: true, env });
  running = child;
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const [code, signal] = await new Promise((resolve) => child.once("close", (...end) => resolve(end)));
  endGroup(child);
  running = undefined;
  let found;
  try {
    found = JSON.parse(output.trimEnd().split("\n").at(-1));
  } catch {
    found = { figures: {}, problems: [`the run ended with ${signal ?? `code ${code}`} and no figures`] };
  }
  for (const [what, value] of Object.entries(found.figures)) console.log(`  ${what.padEnd(24)}${value}`);
  for (const problem of found.problems) console.log(`  NOT OK: ${problem}`);
  if (found.problems.length === 0) console.log("  ok: every invariant held");
  return found.problems.length === 0 && code === 0;
}

function endGroup(child) {
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
  } catch {
    // The whole group has ended.
  }
}
