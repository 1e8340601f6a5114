/**
 * The attack on the limits, all at once with honest load beside it, on Node (compiled) and on Deno (from source).
 *
 *   node scripts/attack.mjs [--node] [--deno] [--minutes M]
 *
 * Prints how the honest requests fared, and the memory; exits with 1 if something did not hold. test/limits/attack.ts
 * has the attacks.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { denoPath } from "./deno.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const { values: flags } = parseArgs({
  options: { node: { type: "boolean" }, deno: { type: "boolean" }, minutes: { type: "string", default: "1" } },
});
if (!(Number(flags.minutes) > 0)) throw new Error(`--minutes must be a number above 0: ${flags.minutes}`);
const runtimes = ["node", "deno"].filter((name) => flags[name] || (!flags.node && !flags.deno));

let failed = 0;
for (const runtime of runtimes) {
  console.log(`${runtime}: ${flags.minutes} min`);
  if (!attack(runtime)) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);

function attack(runtime) {
  if (runtime === "deno") {
    return run(denoPath(), ["run", "--quiet", "--allow-all", "--no-check", "test/limits/attack.ts", flags.minutes]);
  }
  const tsc = "node_modules/typescript/bin/tsc";
  for (const project of ["tsconfig.json", "tsconfig.test.json"])
    if (!run(process.execPath, [tsc, "-p", project])) return false;
  return run(process.execPath, ["build/test/limits/attack.js", flags.minutes]);
}

function run(command, args) {
  return spawnSync(command, args, { stdio: "inherit" }).status === 0;
}
