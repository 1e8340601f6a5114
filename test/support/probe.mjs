/**
 * A probe of the event loop of the thread that imports it: reports each turn that takes more processor time than
 * allowed, as a line of JSON on stderr.
 *
 * Processor time of the thread, so that a busy machine is not taken for a long turn.
 */
import { readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const LIMIT_MS = 20;

let last = spentMs();
setInterval(() => {
  const now = spentMs();
  const ms = now - last;
  if (ms > LIMIT_MS) console.error(JSON.stringify({ turn: isMainThread ? "main" : "thread", ms: Math.round(ms) }));
  // After the report, which is not part of the turn that it is about.
  last = spentMs();
}, 1).unref();

/** The processor time of this thread. */
function spentMs() {
  return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ", 1)[0]) / 1e6;
}

/** As a credentials module it comes to the sidecar's thread on both runtimes; `--import` does only on Node. */
export default () => ({ probe: "there" });
