/**
 * The test runner for Node (compiled) and Deno (from source): each file in its own process, as many at a time as there
 * are cores.
 *
 *   node scripts/test.mjs [--node] [--deno] [--repeat N] [--jobs N] [--within SECONDS] [part of a path …]
 *
 * The last lines are `node: N passed, N failed` and `deno: N passed, N failed`, counted in the runners' JUnit reports.
 * Nothing passes silently: a file without tests, a hung file and a process that ends with an error count as failed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { denoPath, installOnce } from "./deno.mjs";
import { compile, endGroup, refreshDist } from "./programs.mjs";

/** The limit of a whole file: tests have bounds of their own, and this catches what they forgot. Long forms need more. */
const FILE_LIMIT_S = 180;
/** Files that mostly wait, for up to half a minute: they run beside the others, and take no core from them. */
const WAITING = new Set([
  "test/contract/call.test.ts",
  "test/contract/failures.test.ts",
  "test/contract/instance-ends.test.ts",
  "test/contract/messages.test.ts",
  "test/contract/startup.test.ts",
  "test/contract/streams.test.ts",
  "test/contract/subscriptions.test.ts",
  "test/contract/webhooks.test.ts",
  "test/limits/descriptors.test.ts",
]);

const { values: flags, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: "boolean" },
    deno: { type: "boolean" },
    repeat: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    within: { type: "string", default: String(FILE_LIMIT_S) },
  },
});
if (!(Number(flags.within) > 0)) throw new Error(`--within must be a number of seconds above 0: ${flags.within}`);

const onDeno = "Deno" in globalThis;
const node = onDeno ? onPath("node") : process.execPath;
const hasNpm = onPath("npm") !== undefined;
const runtimes = ["node", "deno"].filter((name) => flags[name] || (!flags.node && !flags.deno));
if (node === undefined && runtimes.includes("node")) {
  console.error("Node is not installed: only Deno is tested, without test/real, which needs npm.");
  runtimes.splice(runtimes.indexOf("node"), 1);
}

const files = testFiles("test").filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
if (files.some((file) => file.startsWith("test/real/")) && hasNpm) installOnce("test/real");
if (runtimes.includes("node")) await compile(node);
// A page of test/real loads the client from dist/, whatever runs the test.
else if (files.some((file) => file.startsWith("test/real/")) && node !== undefined) await refreshDist(node);
const deno = runtimes.includes("deno") ? denoPath() : "";

const scratch = mkdtempSync(join(tmpdir(), "sidesocket-tests-"));
const running = new Set();
process.once("exit", () => {
  for (const child of running) endGroup(child);
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

const totals = new Map(runtimes.map((name) => [name, { passed: 0, failed: 0, skipped: 0 }]));
console.log(`running ${files.length} ${files.length === 1 ? "file" : "files"} on ${runtimes.join(" and ")}`);
const repeat = Number(flags.repeat);
for (let round = 1; round <= repeat; round++) {
  if (repeat > 1) console.log(`round ${round} of ${repeat}`);
  await runAll();
}

for (const [runtime, { skipped }] of totals) if (skipped > 0) console.log(`${runtime}: ${skipped} skipped`);
for (const [runtime, { passed, failed }] of totals) console.log(`${runtime}: ${passed} passed, ${failed} failed`);
const good = totals.size > 0 && [...totals.values()].every(({ passed, failed }) => passed > 0 && failed === 0);
process.exit(good ? 0 : 1);

/** Finds a program on the PATH, except Deno itself under the name `node`, which `deno task` puts there. */
function onPath(program) {
  const names = process.platform === "win32" ? [`${program}.exe`, `${program}.cmd`] : [program];
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => existsSync(path) && realpathSync(path) !== realpathSync(process.execPath));
}

/** Lists every `*.test.ts`, with `/` as separator: `node --test` on a folder silently finds none. */
function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === "node_modules" ? [] : testFiles(path);
      return entry.name.endsWith(".test.ts") ? [path] : [];
    })
    .filter((file) => hasNpm || !file.startsWith("test/real/"))
    .sort();
}

/** Runs both runtimes from one queue, slow files first, so that no core is idle while a slow file remains. */
async function runAll() {
  const rank = (file) => (/^test\/soak\//.test(file) ? 0 : /^test\/(config|core|protocols)\//.test(file) ? 2 : 1);
  const sorted = files.toSorted((one, other) => rank(one) - rank(other));
  const all = sorted.flatMap((file) => runtimes.map((runtime) => ({ runtime, file })));
  const worker = async (queue) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { runtime, file } = next;
      const outcome = await runFile(runtime, file);
      const total = totals.get(runtime);
      for (const key of Object.keys(total)) total[key] += outcome[key];
      if (outcome.failed > 0) console.log(outcome.output.trimEnd());
      const mark = outcome.failed > 0 ? "not ok" : "ok";
      console.log(`${mark} ${runtime} ${file} ${outcome.passed} passed in ${(outcome.ms / 1000).toFixed(1)} s`);
      if (outcome.problem) console.log(`   ${outcome.problem}`);
    }
  };
  const busy = all.filter(({ file }) => !WAITING.has(file));
  const waiting = all.filter(({ file }) => WAITING.has(file));
  await Promise.all([...Array.from({ length: Number(flags.jobs) }, () => worker(busy)), worker(waiting)]);
}

function command(runtime, file, report) {
  if (runtime === "deno") {
    // Only the runner has every permission. Types are checked by `deno check`.
    return [deno, ["test", "--allow-all", "--no-check", "--no-prompt", `--junit-path=${report}`, file]];
  }
  const reporters = ["spec", "--test-reporter-destination=stdout", "--test-reporter=junit"];
  const compiled = join("build", file.replace(/\.ts$/, ".js"));
  const flags = [`--test-reporter=${reporters[0]}`, ...reporters.slice(1), `--test-reporter-destination=${report}`];
  return [node, ["--enable-source-maps", ...flags, compiled]];
}

async function runFile(runtime, file) {
  const report = join(scratch, `${runtime}-${file.replaceAll("/", "-")}.xml`);
  rmSync(report, { force: true });
  const started = performance.now();
  const [program, args] = command(runtime, file, report);
  // A group of its own, so that whatever a failed test leaves running ends with its file.
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env: environment() });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  let hung = false;
  const limit = setTimeout(() => {
    hung = true;
    endGroup(child);
  }, Number(flags.within) * 1_000);
  const [code, signal] = await new Promise((resolve) => {
    child.once("error", (error) => resolve([error.message, null]));
    child.once("close", (...end) => resolve(end));
    // A process that a test left behind would hold the pipes open.
    child.once("exit", (...end) => setTimeout(resolve, 500, end));
  });
  clearTimeout(limit);
  running.delete(child);
  endGroup(child);

  const outcome = { ...countTests(report), output, ms: performance.now() - started, problem: "" };
  if (hung) outcome.problem = `did not end within ${flags.within} s: a test hangs, or leaves something open`;
  else if (outcome.failed === 0 && code !== 0) outcome.problem = `ended with ${signal ?? `code ${code}`}`;
  else if (outcome.passed + outcome.failed + outcome.skipped === 0) outcome.problem = "no tests ran";
  if (outcome.problem !== "") outcome.failed += 1;
  return outcome;
}

/** Removes variables that would configure Node or the product behind the tests' back. */
function environment() {
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ...env } = process.env;
  return { ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
}

/** Counts the innermost tests. Deno reports a suite as one more test, whose name begins its tests' names. */
function countTests(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let xml = "";
  try {
    xml = readFileSync(report, "utf8");
  } catch {
    return counts;
  }
  const attributes = String.raw`\s(?:[^>"]|"[^"]*")*?`;
  const cases = [...xml.matchAll(new RegExp(`<testcase(${attributes})(?:/>|>([^]*?)</testcase>)`, "g"))].map(
    ([, head, body = ""]) => ({ name: / name="([^"]*)"/.exec(head)?.[1] ?? "", body }),
  );
  const suites = new Set();
  for (const { name } of cases) {
    for (let at = name.lastIndexOf(" &gt; "); at > 0; at = name.lastIndexOf(" &gt; ", at - 1)) {
      suites.add(name.slice(0, at));
    }
  }
  for (const { name, body } of cases) {
    if (suites.has(name)) continue;
    if (body.includes("<failure") || body.includes("<error")) counts.failed += 1;
    else if (body.includes("<skipped")) counts.skipped += 1;
    else counts.passed += 1;
  }
  return counts;
}
