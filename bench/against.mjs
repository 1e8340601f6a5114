/**
 * The guard against regressions: CPU time of a request here and in another commit, in turns on the same machine.
 *
 *   npm run bench:against -- REF [--deno] [--loads A,B] [--pairs N] [--seconds S] [--atMost RATIO]
 *
 * A single start tells little: two processes of one commit differ by up to 7 %. So both begin anew for every
 * measurement, in the order ABBA, BAAB, …, and what counts is the median of the ratios of such quartets. Ends with 1 if
 * one exceeds `--atMost` (1.05) by more than its standard error.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./figures.mjs";
import { loads, put } from "./loads.mjs";
import { row, startRow, startUpstream } from "./rows.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    deno: { type: "boolean" },
    loads: { type: "string", default: "c64,reply-1M" },
    pairs: { type: "string", default: "10" },
    seconds: { type: "string", default: "2" },
    atMost: { type: "string", default: "1.05" },
  },
});
const [ref] = positionals;
const names = flags.loads.split(",");
if (ref === undefined || names.some((name) => !(name in loads))) {
  stop(`give a commit, and loads of ${Object.keys(loads).join(", ")}`);
}
const window = { seconds: Number(flags.seconds), warmSeconds: 1 };
const sidesocket = row("sidesocket", flags.deno ? "deno" : "node");
const other = checkout(ref);
run(".", "npm", "run", "--silent", "build");

let isWorse = false;
for (const name of names) {
  const ratios = [];
  for (let pair = 0; pair < Number(flags.pairs); pair++) {
    const cpu = { [other]: 0, ".": 0 };
    const [one, two] = pair % 2 === 0 ? [other, "."] : [".", other];
    for (const folder of [one, two, two, one]) cpu[folder] += await cpuOf(folder, loads[name]);
    ratios.push(cpu["."] / cpu[other]);
  }
  const { middle, error } = summary(ratios);
  const isOver = middle - error > Number(flags.atMost);
  isWorse ||= isOver;
  console.log(
    `${name}: ${middle.toFixed(3)} ± ${error.toFixed(3)} of ${ref}${isOver ? `, more than ${flags.atMost}` : ""}`,
  );
}
process.exit(isWorse ? 1 : 0);

/** Builds the other commit in a folder of its own, once. */
function checkout(commit) {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short", `${commit}^{commit}`], { encoding: "utf8" });
  if (status !== 0) stop(`git knows no commit ${commit}`);
  const folder = resolve("build", "against", stdout.trim());
  if (!existsSync(folder)) {
    run(".", "git", "clone", "--quiet", "--shared", "--no-checkout", ".", folder);
    run(folder, "git", "checkout", "--quiet", "--detach", stdout.trim());
  }
  if (!existsSync(`${folder}/node_modules`)) run(folder, "npm", "ci", "--silent");
  run(folder, "npm", "run", "--silent", "build");
  return folder;
}

/** Starts the service of a folder, and measures the CPU time of a request, in microseconds. */
async function cpuOf(folder, load) {
  const upstream = await startUpstream();
  const service = await startRow(sidesocket, upstream.url, [], folder);
  try {
    return (await put(service, upstream, load, window)).cpu;
  } finally {
    await service.stop();
    await upstream.stop();
  }
}

function summary(ratios) {
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const spread = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / Math.max(1, ratios.length - 1);
  return { middle: median(ratios), error: Math.sqrt(spread / ratios.length) };
}

function run(cwd, program, ...args) {
  const shell = process.platform === "win32";
  if (spawnSync(program, args, { cwd, stdio: ["ignore", "inherit", "inherit"], shell }).status !== 0) {
    stop(`${program} ${args.join(" ")} failed in ${cwd}`);
  }
}

function stop(why) {
  console.error(`bench:against: ${why}`);
  process.exit(2);
}
