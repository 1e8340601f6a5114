/**
 * The benchmark of sidesocket beside what it is compared with: `npm run bench -- --help`.
 *
 * Every row is a process of its own, restarted in every round; rows take turns, so that a disturbance of the machine
 * affects all of them.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { denoPath, installOnce } from "../scripts/deno.mjs";
import { chart } from "./chart.mjs";
import { judge, keyFigures } from "./figures.mjs";
import { curves, grow } from "./growth.mjs";
import { isolate, isolation } from "./isolation.mjs";
import { loads, putAll } from "./loads.mjs";
import { budgetTable, report } from "./report.mjs";
import { hiddenNames, rowNames, rowsOf, startRow, startUpstream } from "./rows.mjs";

const HELP = `npm run bench -- [options]

  --short          two minutes: the rows under 1 and 64 connections
  --check          only the figures of bench/budget.json, on Node; exits with 1 if a bound is broken
  --node, --deno   one runtime (default: both)
  --rows A,B       of ${rowNames.join(", ")}
  --parts A,B      of loads, isolation, growth (default: all)
  --loads A,B      of ${Object.keys(loads).join(", ")}
  --isolation A,B  of ${Object.keys(isolation).join(", ")}
  --growth A,B     of ${Object.keys(curves).join(", ")}
  --rounds N       runs of each row (default: 3)
  --seconds S      length of a measurement (default: 3)
  --json FILE      file for the results, with the chart beside it (default: build/bench/results.json)
  --save           write results, chart and the tables of the README into docs/benchmarks
`;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({
  options: {
    help: { type: "boolean" },
    short: { type: "boolean" },
    check: { type: "boolean" },
    node: { type: "boolean" },
    deno: { type: "boolean" },
    save: { type: "boolean" },
    rows: { type: "string" },
    parts: { type: "string" },
    loads: { type: "string" },
    isolation: { type: "string" },
    growth: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    json: { type: "string" },
  },
});
if (flags.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const brief = flags.short || flags.check;
const options = {
  rounds: positive("rounds", brief ? 2 : 3),
  seconds: positive("seconds", brief ? 1.5 : 3),
};
if (flags.check) options.rounds = positive("rounds", 3);
const window = { seconds: options.seconds, warmSeconds: brief ? 0.5 : 1, short: brief };
const runtimes = flags.check
  ? ["node"]
  : ["node", "deno"].filter((name) => flags[name] || (!flags.node && !flags.deno));
const parts = chosen("parts", ["loads", "isolation", "growth"], flags.short ? ["loads"] : undefined);
const checkRows = ["bare", "hand-written", "connect-per-request", "sidesocket"];
const names = chosen("rows", rowNames, flags.check ? checkRows : undefined);
const loadNames = chosen("loads", Object.keys(loads), flags.check ? ["c64"] : flags.short ? ["c1", "c64"] : undefined);
const isolationNames = chosen("isolation", Object.keys(isolation));
const curveNames = chosen("growth", Object.keys(curves));

const budget = JSON.parse(readFileSync("bench/budget.json", "utf8"));
if (names.includes("ethers") || names.includes("viem")) installOnce("bench");

const results = { date: new Date().toISOString(), machine: machine(), versions: versions(), runtimes, options };
if (parts.includes("loads")) results.loads = await runLoads();
if (parts.includes("isolation")) results.isolation = await runIsolation();
if (parts.includes("growth")) results.growth = flags.check ? [] : await runGrowth();

if (flags.check) check();
else save();

async function runLoads() {
  const all = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const one of rowsOf(names, runtimes)) {
      progress(`round ${round} of ${options.rounds}: ${one.name} on ${one.runtime}`);
      const upstream = await startUpstream();
      const service = await startRow(one, upstream.url);
      const figures = await putAll(service, upstream, loadNames, window);
      for (const each of figures) all.push({ row: one.name, runtime: one.runtime, round, ...each });
      await service.stop();
      await upstream.stop();
    }
  }
  return all;
}

async function runIsolation() {
  const all = [];
  const known = new Set([...names, ...hiddenNames]);
  for (const name of isolationNames) {
    const rows = isolation[name].rows.filter((one) => known.has(one) && (!flags.check || one !== "hand-written"));
    for (const runtime of runtimes) {
      for (const one of rows) {
        progress(`${isolation[name].title}: ${one} on ${runtime}`);
        all.push(await isolate(name, one, runtime, window));
      }
    }
  }
  return all;
}

async function runGrowth() {
  const all = [];
  for (const name of curveNames) {
    for (const runtime of runtimes) {
      for (const one of curves[name].rows.filter((row) => names.includes(row))) {
        progress(`growth of ${curves[name].title}: ${one} on ${runtime}`);
        all.push(await grow(name, one, runtime, window));
      }
    }
  }
  return all;
}

function check() {
  const figures = keyFigures(results, "node");
  process.stdout.write(`${budgetTable("node", figures, budget)}\n`);
  const broken = judge(figures, budget).filter(({ holds }) => !holds);
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(results, undefined, 2)}\n`);
  progress(broken.length === 0 ? "every bound holds" : `broken: ${broken.map(({ name }) => name).join("; ")}`);
  process.exit(broken.length === 0 ? 0 : 1);
}

function save() {
  const folder = flags.save ? "docs/benchmarks" : "build/bench";
  mkdirSync(folder, { recursive: true });
  writeFileSync(flags.json ?? join(folder, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(join(folder, "chart.svg"), chart(results));
  const text = report(results, budget);
  process.stdout.write(`\n${text}`);
  if (!flags.save) return;
  const file = join(folder, "README.md");
  const [before] = readFileSync(file, "utf8").split(/(?<=<!-- results -->\n)/);
  writeFileSync(file, `${before}\n![chart](chart.svg)\n\n${text}`);
}

function machine() {
  const [{ model }] = cpus();
  return {
    cores: cpus().length,
    model,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0].toFixed(1),
  };
}

function versions() {
  const version = (name, folder = ".") => {
    try {
      return JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;
    } catch {
      return undefined;
    }
  };
  const deno = runtimes.includes("deno") && spawnSync(denoPath(), ["--version"], { encoding: "utf8" }).stdout;
  const all = {
    sidesocket: /version = "(.*)"/.exec(readFileSync("src/version.ts", "utf8"))?.[1],
    Node: process.versions.node,
    Deno: deno ? /^deno (\S+)/.exec(deno)?.[1] : undefined,
    hono: version("hono"),
    "@hono/node-server": version("@hono/node-server"),
    ws: version("ws"),
    ethers: names.includes("ethers") ? version("ethers", "bench") : undefined,
    viem: names.includes("viem") ? version("viem", "bench") : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, known]) => known !== undefined));
}

function chosen(option, known, preset = known) {
  if (flags[option] === undefined) return preset;
  const wanted = flags[option].split(",");
  for (const one of wanted) if (!known.includes(one)) refuse(`--${option}: ${one} is none of ${known.join(", ")}`);
  return known.filter((one) => wanted.includes(one));
}

function positive(option, preset) {
  const value = flags[option] === undefined ? preset : Number(flags[option]);
  return value > 0 ? value : refuse(`--${option} must be a number above 0`);
}

function refuse(message) {
  process.stderr.write(`${message}\n\n${HELP}`);
  process.exit(2);
}

function progress(text) {
  process.stderr.write(`${text}\n`);
}
