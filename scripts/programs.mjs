/**
 * Runs of the test programs by the scripts: on Node, compiled, and on Deno, from source, each in a process group that
 * ends with it, so that nothing which it started is left behind.
 */
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { denoPath } from "./deno.mjs";
import { isUpToDate } from "./up-to-date.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/**
 * Bundles the command line, which tests start as a process, and compiles build/, the tests and their imports. The
 * library, which programs of the tests load by its name, is built if a source has changed since it was.
 */
export async function compile(node = process.execPath) {
  const { buildCommandLine, buildThreadFiles } = await import("./build.mjs");
  await Promise.all([refreshDist(node, buildCommandLine), buildThreadFiles("build/src")]);
  const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json"];
  const { status } = spawnSync(node, tsc, { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

/** Builds dist/ if a source has changed since it was built. @param otherwise called if none has */
export async function refreshDist(node, otherwise = () => {}) {
  const { buildAll, LIBRARY } = await import("./build.mjs");
  await (isUpToDate(LIBRARY) ? otherwise() : buildAll(node));
}

/** Chooses the runtimes by the flags `--node` and `--deno`, both without them, and compiles for Node. */
export async function prepareRuntimes(flags) {
  const chosen = ["node", "deno"].filter((name) => flags[name] || (!flags.node && !flags.deno));
  const runtimes = chosen.filter((name) => name === "deno" || !("Deno" in globalThis));
  if (runtimes.length < chosen.length) console.error("Node is skipped under Deno: use npm run");
  if (runtimes.includes("node")) await compile();
  return runtimes;
}

/** The program that is running: it ends with this process, whatever ends this process. */
let running;
let isWatched = false;

function watch() {
  if (isWatched) return;
  isWatched = true;
  process.once("exit", () => running && endGroup(running));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
}

/**
 * Runs a program of test/, such as `chaos/run`, to its end.
 * @param v8 flags of V8
 * @param limitMs the time after which it is ended
 * @returns its exit code, its signal, and its output unless that was shown
 */
export async function runProgram(runtime, program, args, { v8 = [], limitMs, show = false } = {}) {
  watch();
  const [command, ...flags] = runtime === "node" ? onNode(program, v8) : onDeno(program, v8);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const stdio = ["ignore", show ? "inherit" : "pipe", "inherit"];
  const child = spawn(command, [...flags, ...args], { stdio, detached: true, env });
  running = child;
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => (output += text));
  const limit = limitMs === undefined ? undefined : setTimeout(() => endGroup(child), limitMs);
  const [code, signal] = await new Promise((resolve) => child.once("close", (...end) => resolve(end)));
  clearTimeout(limit);
  endGroup(child);
  running = undefined;
  return { code, signal, output };
}

function onNode(program, v8) {
  return [process.execPath, "--enable-source-maps", ...v8, `build/test/${program}.js`];
}

function onDeno(program, v8) {
  const flags = v8.length > 0 ? [`--v8-flags=${v8.join(",")}`] : [];
  return [denoPath(), "run", "--quiet", "--allow-all", "--no-check", "--no-prompt", ...flags, `test/${program}.ts`];
}

/** Reads the result of a program, the last line of its output: figures, and the problems that it found. */
export function resultOf({ code, signal, output }) {
  try {
    return JSON.parse(output.trimEnd().split("\n").at(-1));
  } catch {
    return { figures: {}, problems: [`it ended with ${signal ?? `code ${code}`} and no figures`] };
  }
}

/** Ends a child that was started `detached`, and everything that it has started. */
export function endGroup(child, signal = "SIGKILL") {
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // The whole group has ended.
  }
}
