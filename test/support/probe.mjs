/**
 * A probe of the event loop of the thread that imports it: reports each turn that takes more processor time than
 * allowed, as a line of JSON on stderr.
 *
 * Processor time of the thread, so that a busy machine is not taken for a long turn.
 */
import { readFileSync, writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const LIMIT_MS = 20;
const thread = isMainThread ? "main" : "thread";

report({ probe: thread });
let last = spentMs();
setInterval(() => {
  const now = spentMs();
  const ms = now - last;
  if (ms > LIMIT_MS) report({ turn: thread, ms: Math.round(ms) });
  // After the report, which is not part of the turn that it is about.
  last = spentMs();
}, 1).unref();

/** Straight to stderr: what a module prints goes to the log, and in other words. */
function report(line) {
  writeSync(2, `${JSON.stringify(line)}\n`);
}

/** The processor time of this thread. */
function spentMs() {
  return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ", 1)[0]) / 1e6;
}

/** As a credentials module it comes to the sidecar's thread on both runtimes; `--import` does only on Node. */
export default () => ({ probe: "there" });
