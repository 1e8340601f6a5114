/** Processes of the benchmark: started, awaited until they listen, and ended. */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const START_WITHIN_MS = 30_000;
const END_WITHIN_MS = 5_000;
const running = new Set();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/** Starts a program and waits for its line `listening on URL`. `startMs` is the time that took. */
export async function serve(program, args) {
  const began = performance.now();
  const child = run(program, args);
  const [, url] = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`does not listen: ${program} ${args.join(" ")}`)), START_WITHIN_MS);
    child.stdout.on("data", () => {
      const match = /listening on (\S+)/.exec(child.output);
      if (!match) return;
      clearTimeout(late);
      resolve(match);
    });
    child.ended.then((code) => reject(new Error(`ended with ${code}: ${program} ${args.join(" ")}\n${child.errors}`)));
  });
  return { pid: child.pid, url, startMs: performance.now() - began, stop: () => end(child) };
}

/** Runs a program to its end and returns its output, which is JSON. */
export async function measure(program, args) {
  const child = run(program, args);
  const code = await child.ended;
  if (code !== 0) throw new Error(child.errors.trim().slice(-2_000) || `ended with ${code}`);
  return JSON.parse(child.output);
}

function run(program, args) {
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
  child.output = "";
  child.errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (child.output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (child.errors = (child.errors + text).slice(-10_000)));
  running.add(child);
  child.ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal));
  }).finally(() => running.delete(child));
  return child;
}

async function end(child) {
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), END_WITHIN_MS);
  await child.ended;
  clearTimeout(late);
}
