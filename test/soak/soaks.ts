/** The same again and again: what a single start, stop or reconnect leaves behind adds up until it can be seen. */
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
  /** Told now and then how far it is, and how it looks by then. */
  readonly progress?: (done: number, figure: string) => void;
  /** Waited for now and then by what measures times: resolves when the machine has not much else to do. */
  readonly calm?: () => Promise<void>;
}

export interface Limits {
  /** What each cycle, and each reconnect, may add to the resident memory, in kilobytes. */
  readonly cycleKb: number;
  readonly reconnectKb: number;
  /** A healthy stop, in milliseconds. */
  readonly stopP99Ms: number;
  readonly stopMaxMs: number;
}

/** Deno's thread costs about 66 kB each time, whatever runs on it. */
export const LIMITS: Limits = { cycleKb: runtime === "deno" ? 100 : 1, reconnectKb: 1, stopP99Ms: 100, stopMaxMs: 250 };

export interface Soaked {
  /** By what they are. Pairs are "after warming up" and "at the end". */
  readonly figures: Readonly<Record<string, number | string | Times>>;
  /** Sentences; none when all is well. */
  readonly problems: readonly string[];
}

/** Caches, pools and the compiler have got what they want by then. A short soak warms up for a fourth of it. */
const WARM_UP = 500;
const SAMPLES = 400;
/** What fewer of them add to the memory is mostly chance, and is shown but not judged. */
const CYCLES_JUDGED = 1_000;
const RECONNECTS_JUDGED = 5_000;
/** One start, request and exit, on a machine with much else to do, in milliseconds. */
const CYCLE_WITHIN_MS = 15_000;

export const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"echo","params":["soak"]}';
const tell = (method: string) => JSON.stringify({ jsonrpc: "2.0", method });
const REPLY = '{"jsonrpc":"2.0","id":1,"result":["soak"]}';

/** Start, connect, request, exit: by the library, all in this process. */
export async function soakCycles(options: SoakOptions): Promise<Soaked> {
  await using upstream = await startOtherUpstream();
  const stops: number[] = [];
  const cycle = async () => {
    const sidecar = await Sidecar.start({ url: upstream.url });
    await ask(() => sidecar.request(REQUEST));
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

/** One sidecar whose upstream ends the connection again and again: in turns by a close frame, and without one. */
export async function soakReconnects(options: SoakOptions): Promise<Soaked> {
  await using upstream = await startOtherUpstream();
  await using sidecar = await Sidecar.start({ url: upstream.url, reconnect: { from: "1ms", to: "1ms" } });
  const watch = new Watch();
  let ready = 0;
  let restarts = 0;
  sidecar.on("state", ({ phase }) => {
    if (phase === "ready") ready++;
    // A thread that died is told as the phase in which its successor begins.
    if (phase === "idle") restarts++;
    watch.changed();
  });
  const reconnects: number[] = [];
  const reconnect = async (n: number) => {
    await ask(() => sidecar.request(REQUEST));
    const before = ready;
    const began = performance.now();
    await sidecar.send(tell(n % 2 === 0 ? "close" : "break"));
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

/** Does it `count` times, and looks at what is held after warming up and in the end: by us, and by the upstream. */
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

/** Demands the reply to {@link REQUEST}. */
export async function ask(request: () => Promise<unknown>): Promise<void> {
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
