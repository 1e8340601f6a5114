/**
 * The long fuzzing, on Node (compiled) and on Deno (from source), for the given time on each.
 *
 *   node scripts/fuzz.mjs [--node] [--deno] [--seed N] [--minutes M] [--only TARGET]
 *
 * Exits with 1 if an input broke a promise. It is kept in test/fuzz/corpus, which the tests replay. Inputs that only did
 * something new are kept in build/fuzz, from where the next run goes on.
 */
import { spawnSync } from "node:child_process";
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
  },
});
const run = [flags.seed, flags.minutes, flags.only];
for (const number of run.slice(0, 2)) if (!(Number(number) > 0)) throw new Error(`must be a number above 0: ${number}`);

const commands = {
  node: () => {
    for (const project of ["tsconfig.json", "tsconfig.test.json"]) {
      must(spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project], { stdio: "inherit" }));
    }
    return [process.execPath, ["--enable-source-maps", "build/test/fuzz/run.js"]];
  },
  deno: () => [denoPath(), ["run", "--quiet", "--allow-all", "--no-check", "--no-prompt", "test/fuzz/run.ts"]],
};

let failed = false;
for (const [runtime, command] of Object.entries(commands)) {
  if (!flags[runtime] && (flags.node || flags.deno)) continue;
  const [program, args] = command();
  console.log(`${runtime}: seed ${flags.seed}, ${flags.minutes} minutes`);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  if (spawnSync(program, [...args, ...run], { stdio: "inherit", env }).status !== 0) failed = true;
}
process.exit(failed ? 1 : 0);

function must({ status }) {
  if (status !== 0) process.exit(1);
}
