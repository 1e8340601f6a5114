/** Soaks: repetitions that add up what a single start, stop or reconnect leaves behind. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Sidecar } from "../../src/index.ts";
import { Child } from "../support/child.ts";
import { runtime } from "../support/root.ts";
import { bounded, Watch } from "../support/until.ts";
import { grown, Memory, ownHoldings, settled, shown, socketsOf, type Times, timesOf } from "./figures.ts";

export interface SoakOptions {
  readonly count: number;
  readonly limits: Limits;
  /** Reports from time to time how far it is, and the figure so far. */
  readonly progress?: (done: number, figure: string) => void;
  /** Awaited from time to time by timed soaks: resolves when the machine has little else to do. */
  readonly calm?: () => Promise<void>;
}

export interface Limits {
  /** The allowed growth of resident memory per cycle, and per reconnect, in kilobytes. */
  readonly cycleKb: number;
  readonly reconnectKb: number;
  /** The limits of a healthy stop, in milliseconds. */
  readonly stopP99Ms: number;
  readonly stopMaxMs: number;
}

/** Deno's thread costs about 66 kB each time, whatever runs on it. */
export const LIMITS: Limits = { cycleKb: runtime === "deno" ? 100 : 1, reconnectKb: 1, stopP99Ms: 100, stopMaxMs: 250 };

export interface Soaked {
  /** Figures by name. Pairs are "after warming up" and "at the end". */
  readonly figures: Readonly<Record<string, number | string | Times>>;
  /** Sentences; none if all is well. */
  readonly problems: readonly string[];
}

/** By then caches, pools and the compiler are warm. A short soak warms up for a quarter of it. */
const WARM_UP = 500;
const SAMPLES = 400;
/** The memory growth over fewer cycles is mostly chance: shown, but not judged. */
const CYCLES_JUDGED = 1_000;
const RECONNECTS_JUDGED = 5_000;
/** The limit of one start, request and exit on a busy machine, in milliseconds. */
const CYCLE_WITHIN_MS = 15_000;

export const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"echo","params":["soak"]}';
const notification = (method: string) => JSON.stringify({ jsonrpc: "2.0", method });
const REPLY = '{"jsonrpc":"2.0","id":1,"result":["soak"]}';

/** Starts, connects, requests and exits with the library, all in this process. */
export async function soakCycles(options: SoakOptions): Promise<Soaked> {
  await using upstream = await startOtherUpstream();
  const stops: number[] = [];
  const cycle = async () => {
    const sidecar = await Sidecar.start({ url: upstream.url });
    await assertReply(() => sidecar.request(REQUEST));
    const began = performance.now();
    const report = await sidecar.exit();
    stops.push(performance.now() - began);
    if (report.exit_code !== 0) throw new Error(`an exit was not clean: ${JSON.stringify(report)}`);
  };
  const held = await repeat(options, upstream, cycle);
  return {
    figures: { ...held.figures, stop: timesOf(stops) },
    problems: [
      ...held.problems,
      ...(options.count < CYCLES_JUDGED ? [] : tooSteep(held.slopeKb, options.limits.cycleKb)),
      ...tooSlow(timesOf(stops), options.limits),
    ],
  };
}

/**
 * Reconnects one sidecar whose upstream ends the connection again and again, alternately with and without a close
 * frame.
 */
export async function soakReconnects(options: SoakOptions): Promise<Soaked> {
  await using upstream = await startOtherUpstream();
  await using sidecar = await Sidecar.start({ url: upstream.url, reconnect: { from: "1ms", to: "1ms" } });
  const watch = new Watch();
  let ready = 0;
  let restarts = 0;
  sidecar.on("state", ({ phase }) => {
    if (phase === "ready") ready++;
    // A successor thread reports this phase after its predecessor died.
    if (phase === "idle") restarts++;
    watch.changed();
  });
  const reconnects: number[] = [];
  const reconnect = async (n: number) => {
    await assertReply(() => sidecar.request(REQUEST));
    const before = ready;
    const began = performance.now();
    await sidecar.send(notification(n % 2 === 0 ? "close" : "break"));
    await watch.until(() => ready > before, { what: () => `phase ready; it is ${sidecar.state.phase}` });
    reconnects.push(performance.now() - began);
  };
  const held = await repeat(options, upstream, reconnect);
  const { exit_code } = await sidecar.exit();
  return {
    figures: { ...held.figures, reconnect: timesOf(reconnects), "threads that died": restarts },
    problems: [
      ...held.problems,
      ...(options.count < RECONNECTS_JUDGED ? [] : tooSteep(held.slopeKb, options.limits.reconnectKb)),
      ...(restarts > 0 ? [`the thread died ${restarts} times`] : []),
      ...(exit_code === 0 ? [] : [`exit code ${exit_code}`]),
    ],
  };
}

interface Held extends Soaked {
  readonly slopeKb: number;
}

/**
 * Repeats the work `count` times, and compares what is held after warming up and at the end, by us and by the upstream.
 */
async function repeat(
  { count, progress }: SoakOptions,
  upstream: { readonly pid: number },
  once: (n: number) => Promise<void>,
): Promise<Held> {
  const warm = Math.min(WARM_UP, Math.ceil(count / 4));
  const memory = new Memory();
  const look = () => ({ ...ownHoldings(), ...socketsOf(upstream.pid) });
  let first = look();
  for (let n = 1; n <= count; n++) {
    await bounded(once(n), { within: CYCLE_WITHIN_MS, what: `cycle ${n}` });
    if (n === warm) first = await settled(look, first);
    if (n % Math.ceil(count / SAMPLES) === 0) memory.sample(n);
    if (n % Math.ceil(count / 20) === 0) progress?.(n, `${memory.lastMb.toFixed(1)} MB`);
  }
  const last = await settled(look, first);
  const slopeKb = memory.slopeFrom(warm);
  const figures = {
    cycles: count,
    ...shown(first, last),
    "RSS in MB": memory.lastMb,
    "RSS slope, kB a cycle": slopeKb,
  };
  return { figures, problems: grown(first, last), slopeKb };
}

/** Asserts the reply to {@link REQUEST}. */
export async function assertReply(request: () => Promise<unknown>): Promise<void> {
  const reply = await request();
  if (reply !== REPLY) throw new Error(`the reply was ${String(reply)}`);
}

function tooSteep(slopeKb: number, limitKb: number): string[] {
  return slopeKb <= limitKb ? [] : [`the memory grows by ${slopeKb.toFixed(2)} kB a cycle; allowed: ${limitKb}`];
}

export function tooSlow({ p99, max }: Times, { stopP99Ms, stopMaxMs }: Limits): string[] {
  const problems: string[] = [];
  if (!(p99 <= stopP99Ms)) problems.push(`p99 of the stops is ${Math.round(p99)} ms; allowed: ${stopP99Ms}`);
  if (!(max <= stopMaxMs)) problems.push(`the longest stop took ${Math.round(max)} ms; allowed: ${stopMaxMs}`);
  return problems;
}

export async function startOtherUpstream() {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const file = fileURLToPath(new URL(`./upstream${extension}`, import.meta.url));
  const args = runtime === "deno" ? ["run", "--quiet", "--allow-all", "--no-check", file] : [file];
  const child = await Child.start({ command: process.execPath, args });
  const url = await child.until(() => /^listening on (\S+)$/m.exec(child.stdout)?.[1], { what: "the soak's upstream" });
  return { url, pid: child.pid, [Symbol.asyncDispose]: () => child.kill() };
}
