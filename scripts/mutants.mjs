/**
 * Mutation tests: break the product in one place at a time and require that a test goes red.
 *
 *   node scripts/mutants.mjs [--jobs N] [part of a name or path …]
 *
 * `test/<folder>/<module>.mutants.mjs` has the mutants of `src/<folder>/<module>.ts`. Each one is applied to a copy of
 * the tree, where its tests run until the first failure. Exceeding the time limit counts as one, and is reported apart.
 * Exits with 1 if a mutant survives, if one does not fit its source (checked first), or if the tests are red without
 * any mutant.
 */

import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { misfits, readMutants } from "./mutant-tables.mjs";
import { endGroup } from "./programs.mjs";

/** A mutant's time limit, which begins when its tests do: this many times what they take without it, and some more. */
const TIMES = 5;
const MORE_MS = 20_000;
/** The longest time to compile on a machine that does other things as well. */
const COMPILE_MS = 600_000;
/** The line of scripts/test.mjs with which tests begin. */
const BEGINS = /^running \d+ files? on /m;
const SUITE_LIMIT_MS = 900_000;
/** From SIGTERM, which lets a run end its own children, to SIGKILL. */
const END_MS = 5_000;

const { values: flags, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: "string", default: "2" } },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const mutants = (await readMutants(root)).filter(
  ({ name, file }) => parts.length === 0 || parts.some((part) => `${file} ${name}`.includes(part)),
);

assertApplicable();

const scratch = mkdtempSync(join(tmpdir(), "sidesocket-mutants-"));
chmodSync(scratch, 0o755); // Some tests run the product as the user nobody.
const running = new Set();
let ending = false;
process.once("exit", () => {
  for (const child of running) endGroup(child, "SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, endAll);

const trees = Array.from({ length: Number(flags.jobs) }, (_, number) => copyTree(join(scratch, `tree-${number}`)));
const usual = await timesWithoutMutants(trees[0]);
const rows = await judgeAll();
printTable(rows);
process.exit(rows.length > 0 && rows.every(({ killed }) => killed) ? 0 : 1);

/** A mutant that does not fit its source breaks nothing, so it proves nothing. */
function assertApplicable() {
  const problems = misfits(root, mutants);
  if (mutants.length === 0) problems.push("no mutant's name or path contains any of these parts");
  if (problems.length === 0) return;
  console.log(problems.join("\n"));
  process.exit(1);
}

/** Copies all but build output and installed modules; the modules are linked. */
function copyTree(tree) {
  const skipped = new Set(["node_modules", ".git", "build", "dist", "coverage"]);
  cpSync(root, tree, { recursive: true, filter: (path) => !skipped.has(basename(path)) });
  for (const folder of ["", "test/real", "test/runtimes"]) {
    const modules = join(root, folder, "node_modules");
    if (existsSync(modules)) symlinkSync(modules, join(tree, folder, "node_modules"));
  }
  return tree;
}

/** Measures each test file without a mutant, in milliseconds. A file that is red anyway could not convict a mutant. */
async function timesWithoutMutants(tree) {
  const times = new Map();
  for (const deno of [false, true]) {
    let tests = [...new Set(mutants.filter((mutant) => mutant.deno === deno).flatMap((mutant) => mutant.tests))];
    // Failed files get a second run: on a busy machine one may have missed a deadline.
    for (let round = 1; round <= 2 && tests.length > 0; round++) {
      console.log(`without a mutant, on ${deno ? "Deno" : "Node"} …`);
      const { red, output } = await runTests({ tree, tests, deno, limitMs: SUITE_LIMIT_MS, toTheEnd: true });
      for (const [, file, seconds] of output.matchAll(/^ok \w+ (\S+) \d+ passed in ([\d.]+) s$/gm)) {
        times.set(`${deno} ${file}`, Number(seconds) * 1_000);
      }
      tests = Array.from(output.matchAll(/^not ok \w+ (\S+)/gm), ([, file]) => file);
      if (red !== undefined) console.log(output);
      if (red !== undefined && tests.length === 0) process.exit(1);
    }
    if (tests.length > 0) {
      console.log(`red without any mutant: ${tests.join(", ")}`);
      process.exit(1);
    }
  }
  return times;
}

async function judgeAll() {
  const queue = [...mutants.entries()];
  const rows = [];
  const worker = async (tree) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, mutant] = next;
      rows[place] = { ...mutant, ...(await judge(mutant, tree)) };
      console.log(row(rows[place]));
    }
  };
  await Promise.all(trees.map(worker));
  return rows;
}

/** Applies one mutant, runs its tests, then restores the source. */
async function judge({ file, find, replace, tests, deno }, tree) {
  const path = join(tree, file);
  const source = readFileSync(path, "utf8");
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  const own = [...usual].filter(([key]) => tests.some((test) => key.startsWith(`${deno} `) && key.includes(test)));
  const limitMs = MORE_MS + TIMES * own.reduce((sum, [, ms]) => sum + ms, 0);
  const { red, late, begun } = await runTests({ tree, tests, deno, limitMs });
  writeFileSync(path, source);
  if (!begun) return { killed: false, verdict: "NOT APPLIED: it does not compile" };
  return red === undefined
    ? { killed: false, verdict: "SURVIVED" }
    : { killed: true, late, verdict: `killed by ${red}` };
}

/**
 * Runs tests until the first failure; `red` is the failed test's name, or how the run itself went wrong. `late` is true
 * if only the time limit ended it.
 */
async function runTests({ tree, tests, deno, limitMs, toTheEnd = false }) {
  const args = [join(tree, "scripts", "test.mjs"), deno ? "--deno" : "--node", "--jobs", "1", ...tests];
  const child = spawn(process.execPath, args, { cwd: tree, stdio: ["ignore", "pipe", "pipe"], detached: true });
  running.add(child);
  let output = "";
  let red;
  let late = false;
  const end = (why) => {
    red ??= why;
    endGroup(child, "SIGTERM");
    setTimeout(endGroup, END_MS, child, "SIGKILL").unref();
  };
  const endLate = (what, ms) => {
    late = red === undefined;
    end(`the time limit: ${what} longer than ${Math.round(ms / 1_000)} s`);
  };
  let begun = false;
  let limit = setTimeout(endLate, COMPILE_MS, "it compiles", COMPILE_MS);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
      if (!begun && BEGINS.test(output)) {
        begun = true;
        clearTimeout(limit);
        limit = setTimeout(endLate, limitMs, "it hangs or runs", limitMs);
      }
      if (!toTheEnd && /^not ok /m.test(output)) end(firstFailure(output));
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(limit);
  running.delete(child);
  if (ending) await new Promise(() => {}); // An interrupted run is no verdict, and no other may start.
  if (code !== 0) red ??= "a run that ended with an error";
  return { red, late, begun, output };
}

/** Finds the first failed test, and its file, in the output of Node's or Deno's runner. */
function firstFailure(output) {
  const file = /^not ok \w+ (\S+)/m.exec(output)?.[1];
  const test =
    /^\s*✖ (?!failing tests)(.+?) \([\d.]+ms\)/m.exec(output) ?? /^(?:.* => )?(.+?) \.\.\. (?:.*)?FAILED/m.exec(output);
  const problem = /^not ok .*\n {3}(.+)$/m.exec(output);
  return `${file}: ${test?.[1] ?? problem?.[1] ?? "the file failed as a whole"}`;
}

function row({ deno, file, name, verdict }) {
  return `${`${file.replace("src/", "")}${deno ? " (Deno)" : ""}`.padEnd(28)} ${name.padEnd(64)} ${verdict}`;
}

function printTable(rows) {
  console.log(`\n${rows.map(row).join("\n")}\n`);
  const survivors = rows.filter(({ killed }) => !killed);
  const late = rows.filter((each) => each.late);
  console.log(
    `${rows.length} mutants, ${rows.length - survivors.length} killed, ${survivors.length} not; ` +
      `${late.length} killed by the time limit alone`,
  );
  for (const each of late) console.log(row(each));
  for (const each of survivors) console.log(row(each));
}

function endAll() {
  ending = true;
  for (const child of running) endGroup(child, "SIGTERM");
  // Each run ends its own children.
  setTimeout(() => process.exit(1), END_MS);
}
