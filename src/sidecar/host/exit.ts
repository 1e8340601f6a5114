import pTimeout from "p-timeout";
import type { ShutdownBounds } from "../../config/schema.ts";
import type { CloseCounts } from "../contract.ts";
import { type SidecarThread, THREAD_GRACE_MS } from "./supervised-thread.ts";
import type { UpstreamClient } from "./upstream-client.ts";

/**
 * The exit protocol: drain, stop, close, cancel, join; in this order, each bounded. It reads from top to bottom, and
 * docs/exit-protocol.md says why. The order is that of the event-loop sidecar pattern.
 */

export type StepName = "drain" | "stop" | "close" | "cancel" | "join";

/** `done` within its bound · `forced`: the bound passed, and it was ended by force · `failed`: not even that ended it. */
export type StepOutcome = "done" | "forced" | "failed" | "skipped";

export interface StepReport {
  readonly step: StepName;
  readonly outcome: StepOutcome;
  readonly ms: number;
  readonly counts: Readonly<Record<string, unknown>>;
}

/** What the exit did: the answer of `/shutdown`, one line in the log, and what tests assert. */
export interface ExitReport {
  /** What asked for it: `SIGTERM`, `SIGINT`, `/shutdown`, `call`, or a failure's code. */
  readonly cause: string;
  /** A socket was destroyed after the close bound, or a thread was terminated. */
  readonly forced: boolean;
  readonly exit_code: number;
  readonly ms: number;
  readonly steps: readonly StepReport[];
}

/** The HTTP side's part in the exit. Nothing, where the sidecar is used as a library. */
export interface Front {
  /** Readiness says no from here on. */
  unready(): void;
  /** New work is refused from here on. */
  refuse(): void;
  /** Streams get their end, polls their answer, half-sent bodies their refusal. */
  stop(): void;
  /** Resolves when every answer has been written. */
  flushed(): Promise<void>;
  /** Cuts every connection but those of who waits for the report. */
  cut(): void;
}

/** What the exit needs of an upstream, and of a thread. */
type Leaving = Pick<
  UpstreamClient,
  "name" | "replies" | "inFlight" | "drain" | "stop" | "close" | "cancel" | "abandonAll"
>;
type Ending = Pick<SidecarThread, "leave" | "end" | "terminate">;

export interface Exit {
  readonly cause: string;
  readonly bounds: ShutdownBounds;
  readonly upstreams: readonly Leaving[];
  readonly threads: readonly Ending[];
  readonly front: Front;
  /** Aborted to turn all remaining bounds to zero, at any moment. */
  readonly force: AbortSignal;
  /** A code that is worse than how the exit itself went: of a failure that led to it. Asked at the end. */
  exitCode?(): number | undefined;
}

/** What breaking a socket, or a thread's own end, takes when no time is left for it, in milliseconds. */
const HURRIED_MS = 100;

export async function runExit(exit: Exit): Promise<ExitReport> {
  const { cause, bounds, upstreams, threads, front, force } = exit;
  const began = performance.now();
  const steps: StepReport[] = [];

  const step = async (name: StepName, work: () => Promise<Omit<StepReport, "step" | "ms">>): Promise<void> => {
    const from = performance.now();
    // What goes wrong in one step must not keep the next from being taken.
    const { outcome, counts } = await work().catch((error: unknown) => ({
      outcome: "failed" as const,
      counts: { error: String(error) },
    }));
    steps.push({ step: name, outcome, ms: Math.round(performance.now() - from), counts });
  };

  await step("drain", async () => {
    front.unready();
    await bounded(new Promise<never>(() => {}), bounds.delay, force);
    front.refuse();
    for (const thread of threads) thread.leave();
    const before = sum(upstreams.map((upstream) => upstream.replies));
    const drains = upstreams.map((upstream) => upstream.drain());
    const drained = await bounded(allDone(drains), bounds.drain, force);
    const replied = sum(upstreams.map((upstream) => upstream.replies)) - before;
    const left = sum(upstreams.map((upstream) => upstream.inFlight));
    return { outcome: drained ? "done" : "forced", counts: { replied, left } };
  });

  await step("stop", async () => {
    front.stop();
    return { outcome: "done", counts: { readers: sum(upstreams.map((upstream) => upstream.stop())) } };
  });

  await step("close", async () => {
    const closes = await Promise.all(upstreams.map((upstream) => closeOne(upstream, bounds.close, force)));
    const outcome = closes.some((close) => close.forced) ? "forced" : "done";
    return { outcome, counts: { upstreams: closes } };
  });

  await step("cancel", async () => {
    const until = performance.now() + bounds.flush;
    const cancels = upstreams.map((upstream) => bounded(upstream.cancel(), HURRIED_MS, undefined));
    const cancelled = { no: 0, maybe: 0, yes: 0 };
    let unkept = 0;
    for (const each of await Promise.all(cancels)) {
      for (const sent of ["no", "maybe", "yes"] as const) cancelled[sent] += each?.counts[sent] ?? 0;
      unkept += each?.unkept ?? 0;
    }
    // Whom the thread did not answer, because it hangs, we answer: nobody may be left waiting.
    for (const upstream of upstreams) cancelled.maybe += upstream.abandonAll();
    const flushed = await bounded(allDone([front.flushed()]), Math.max(0, until - performance.now()), force);
    front.cut();
    return { outcome: "done", counts: { cancelled, messages: unkept, flushed: flushed === true } };
  });

  await step("join", async () => {
    const joins = await Promise.all(threads.map((thread) => joinOne(thread, bounds, force)));
    const joined = joins.filter((outcome) => outcome !== "failed").length;
    return { outcome: worst(joins), counts: { joined, threads: threads.length } };
  });

  const failed = steps.some(({ outcome }) => outcome === "failed");
  const forced = steps.some(({ step, outcome }) => outcome === "forced" && (step === "close" || step === "join"));
  const exitCode = failed ? 70 : (exit.exitCode?.() ?? (forced ? 1 : 0));
  return { cause, forced, exit_code: exitCode, ms: Math.round(performance.now() - began), steps };
}

async function closeOne(
  upstream: Leaving,
  withinMs: number,
  force: AbortSignal,
): Promise<CloseCounts & { readonly upstream: string }> {
  const inTime = force.aborted ? undefined : await bounded(upstream.close(withinMs), withinMs + THREAD_GRACE_MS, force);
  // Forced before that, or in the midst of it: with no time.
  const close = inTime ?? (force.aborted ? await bounded(upstream.close(0), HURRIED_MS, undefined) : undefined);
  return { upstream: upstream.name, ...(close ?? { code: null, by: null, forced: true }) };
}

async function joinOne(thread: Ending, bounds: ShutdownBounds, force: AbortSignal): Promise<StepOutcome> {
  const ended = thread.end().then(() => true);
  const inTime = await bounded(ended, bounds.join, force);
  const hurried = force.aborted || bounds.join < HURRIED_MS;
  if (inTime ?? (hurried && (await bounded(ended, HURRIED_MS, undefined)))) return "done";
  const terminated = thread.terminate().then(() => true);
  return (await bounded(terminated, Math.max(bounds.kill, HURRIED_MS), undefined)) ? "forced" : "failed";
}

async function allDone(work: readonly Promise<unknown>[]): Promise<true> {
  await Promise.all(work);
  return true;
}

/** Waits for `work`, but not longer than the bound, and not at all once forced. Undefined when it did not come. */
async function bounded<Value>(
  work: Promise<Value>,
  withinMs: number,
  force: AbortSignal | undefined,
): Promise<Value | undefined> {
  // p-timeout knows no bound of nothing. What is there already must still count.
  if (withinMs === 0 || force?.aborted) return Promise.race([work, new Promise<undefined>(nextTurn)]);
  const options = { milliseconds: withinMs, fallback: () => undefined };
  return pTimeout(work, force === undefined ? options : { ...options, signal: force }).catch((error: unknown) => {
    if (force?.aborted) return undefined;
    throw error;
  });
}

function nextTurn(resolve: (nothing: undefined) => void): void {
  setImmediate(() => resolve(undefined));
}

function worst(outcomes: readonly StepOutcome[]): StepOutcome {
  return (["failed", "forced"] as const).find((outcome) => outcomes.includes(outcome)) ?? "done";
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
