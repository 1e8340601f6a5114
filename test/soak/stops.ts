/** Stops of the whole program as a real process: healthy ones, and ones that something tries to hold up. */
import { loadavg } from "node:os";
import { assertReport, type Cause, outcomes, shutDown } from "../exit/stopping.ts";
import { deeds, sayAndSee } from "../faults/deeds.ts";
import { openReaders, stall, unanswered } from "../faults/stalled.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { type Product, startProduct } from "../support/product.ts";
import type { ExitReport } from "../support/report.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { grown, settled, shown, socketsOf, textOf, timesOf } from "./figures.ts";
import { assertReply, REQUEST, type Soaked, type SoakOptions, startOtherUpstream, tooSlow } from "./soaks.ts";

/** Stops between two looks at the machine, which is awaited if that was requested. */
const SLICE = 10;

interface Stop {
  readonly code: number | null;
  readonly report: ExitReport;
  /** From the request to stop until the end of the process, in milliseconds. */
  readonly ms: number;
}

async function stop(product: Product, cause: Cause): Promise<Stop> {
  const began = performance.now();
  const gone = product.exited.then(() => performance.now() - began);
  const answered = cause === "/shutdown" ? shutDown(product) : undefined;
  if (cause !== "/shutdown") product.child.signal(cause);
  const { code } = await product.ended();
  const report = assertReport(product);
  if (answered && JSON.stringify(await answered) !== JSON.stringify(report)) throw new Error("two reports of one stop");
  return { code, report, ms: await gone };
}

/** Starts, waits until ready, makes one request, then stops by SIGTERM and `/shutdown` in turn. */
export async function soakStops({ count, limits, progress, calm }: SoakOptions): Promise<Soaked> {
  await using upstream = await startOtherUpstream();
  const look = () => socketsOf(upstream.pid);
  let held = look();
  const starts: number[] = [];
  const stops: Stop[] = [];
  const loads: number[] = [];
  const problems: string[] = [];
  const times = () => timesOf(stops.map(({ ms }) => ms));
  for (let n = 1; n <= count; n++) {
    if (n % SLICE === 1) await calm?.();
    const began = performance.now();
    await using product = await startProduct({ upstream });
    await product.ready();
    starts.push(performance.now() - began);
    await assertReply(async () => (await product.request(REQUEST)).text());
    const done = await stop(product, n % 2 === 0 ? "SIGTERM" : "/shutdown");
    stops.push(done);
    loads.push(loadavg()[0] ?? Number.NaN);
    const clean = done.code === 0 && outcomes(done.report).every((outcome) => outcome.endsWith(" done"));
    if (!clean) problems.push(`process ${n} ended with code ${done.code}: ${product.stderr()}`);
    // The upstream's runtime opens a few sockets for itself with the first connections that it serves.
    if (n === Math.min(20, Math.ceil(count / 2))) held = await settled(look, held);
    if (n % Math.ceil(count / 20) === 0) progress?.(n, textOf(times()));
  }
  const sockets = await settled(look, held);
  return {
    figures: {
      stops: count,
      ...shown(held, sockets),
      start: timesOf(starts),
      "stop, until the end": times(),
      "stop, by its report": timesOf(stops.map(({ report }) => report.ms)),
      "load average": `${Math.min(...loads)} to ${Math.max(...loads)}`,
    },
    problems: [...problems, ...grown(held, sockets), ...tooSlow(times(), limits)],
  };
}

/** Something that tries to hold a stop, with the time and the exit code that it may cause all the same. */
interface Holder {
  readonly code: number;
  readonly withinMs: number;
  /** Starts the product with the holder in place; the result checks what must be true at the end. */
  reach(
    t: Cleanup,
    readers: number,
  ): Promise<{ readonly product: Product; readonly ended?: () => Promise<string | undefined> }>;
}

const CLOSE_MS = 400;
const SMALL = { drain: "300ms", close: "300ms", flush: "300ms", join: "300ms", kill: "300ms", answer: "300ms" };
const SMALL_MS = 1_800;
/** Of streams, and of long polls. */
const READERS = 500;
/** The default bounds of flush, close and answer. */
const STALLED_MS = 3_500;

const holders: ReadonlyMap<string, Holder> = new Map<string, Holder>([
  [
    "the close is never answered",
    {
      code: 1,
      withinMs: CLOSE_MS + 100,
      async reach(t) {
        const upstream = await startFaultUpstream({ onClose: false, onEnd: false }, { t });
        const config = { shutdown: { close: `${CLOSE_MS}ms` }, upstreams: { default: { url: upstream.url } } };
        const product = await startProduct({ config, t });
        await product.ready();
        return { product };
      },
    },
  ],
  [
    "the thread hangs",
    {
      code: 1,
      withinMs: SMALL_MS + 250,
      async reach(t) {
        const { upstream, upstreams } = await deeds(t);
        const product = await startProduct({ config: { shutdown: SMALL, upstreams }, t });
        await product.ready();
        await sayAndSee(product, "hang", upstream);
        return { product };
      },
    },
  ],
  [
    "clients stall, and wait",
    {
      code: 0,
      withinMs: STALLED_MS + 200,
      async reach(t, count) {
        const upstream = await startUpstream({ t });
        const product = await startProduct({ upstream, t });
        await product.ready();
        await stall(product, t);
        const readers = await openReaders(product, t, count);
        const ended = async () => {
          const left = await unanswered(readers);
          return left === 0 ? undefined : `${left} readers were left without an end`;
        };
        return { product, ended };
      },
    },
  ],
]);

/** Runs each holder in turn, `count` times. */
export async function soakHeld({ count, progress, calm }: SoakOptions, readers = READERS): Promise<Soaked> {
  const figures: Record<string, Soaked["figures"][string]> = { "stops of each": count };
  const problems: string[] = [];
  for (const [name, holder] of holders) {
    const stops: Stop[] = [];
    for (let n = 1; n <= count; n++) {
      if (n % SLICE === 1) await calm?.();
      await clearedUp(async (t) => {
        const { product, ended } = await holder.reach(t, readers);
        stops.push(await stop(product, n % 2 === 0 ? "SIGTERM" : "/shutdown"));
        const problem = await ended?.();
        if (problem !== undefined) problems.push(`${name}: ${problem}`);
      });
    }
    const times = timesOf(stops.map(({ ms }) => ms));
    figures[`${name}: until the end`] = times;
    figures[`${name}: by its report`] = timesOf(stops.map(({ report }) => report.ms));
    const wrong = stops.filter(({ code }) => code !== holder.code);
    if (wrong.length > 0) problems.push(`${name}: ${wrong.length} did not end with code ${holder.code}`);
    if (!(times.max <= holder.withinMs)) problems.push(`${name}: over ${holder.withinMs} ms`);
    progress?.(count, name);
  }
  return { figures, problems };
}

async function clearedUp(work: (t: Cleanup) => Promise<void>): Promise<void> {
  const undo: (() => unknown)[] = [];
  try {
    await work({ after: (each) => void undo.push(each) });
  } finally {
    for (const each of undo.reverse()) await each();
  }
}
