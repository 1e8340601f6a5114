/** The exit protocol: drain, stop, close, cancel, join. */

import pTimeout from "p-timeout";
import type { ShutdownBounds } from "../../config/schema.ts";
import type { CloseCounts } from "../contract.ts";
import type { ExitReport, StepName, StepOutcome, StepReport } from "../exit-report.ts";
import type { SidecarThread } from "./supervised-thread.ts";
import type { UpstreamClient } from "./upstream-client.ts";

export type { ExitReport } from "../exit-report.ts";

/** How long the thread may take to report that the bound of its close has passed, in milliseconds. */
const THREAD_GRACE_MS = 50;

/** The HTTP side's part in the exit; every method does nothing if the sidecar is used as a library. */
export interface HttpSide {
  /** Turns readiness to 503 from here on. */
  unready(): void;
  /** Refuses new work from here on. */
  refuse(): void;
  /** Ends streams, replies to polls, and refuses half-sent bodies. */
  stop(): void;
  /** Resolves when every response has been written. */
  flushed(): Promise<void>;
  /** Cuts every connection except those that wait for the report. */
  cut(): void;
}

type ExitingUpstream = Pick<
  UpstreamClient,
  "name" | "replies" | "inFlight" | "drain" | "stop" | "close" | "cancel" | "abandonAll"
>;
type ExitingThread = Pick<SidecarThread, "stopRestarting" | "end" | "terminate">;

export interface Exit {
  readonly cause: string;
  readonly bounds: ShutdownBounds;
  readonly upstreams: readonly ExitingUpstream[];
  readonly threads: readonly ExitingThread[];
  readonly http: HttpSide;
  /** Aborted, at any moment, to turn all remaining bounds to zero. */
  readonly force: AbortSignal;
  /** The exit code of a failure that led to the exit, which outranks the exit's own. Called at the end. */
  exitCode?(): number | undefined;
}

/** The time in which a socket breaks, or a thread ends, when the bound leaves no time for it, in milliseconds. */
const HURRIED_MS = 100;

/**
 * Runs the steps in their order, each bounded. It reads from top to bottom, and docs/exit-protocol.md gives the
 * reasons. The order is that of the event-loop sidecar pattern.
 */
export async function runExit(exit: Exit): Promise<ExitReport> {
  const { cause, bounds, upstreams, threads, http, force } = exit;
  const began = performance.now();
  const steps: StepReport[] = [];

  const step = async (name: StepName, work: () => Promise<Omit<StepReport, "step" | "ms">>): Promise<void> => {
    const from = performance.now();
    // An error in one step must not keep the next from being taken.
    const { outcome, counts } = await work().catch((error: unknown) => ({
      outcome: "failed" as const,
      counts: { error: String(error) },
    }));
    steps.push({ step: name, outcome, ms: Math.round(performance.now() - from), counts });
  };

  await step("drain", async () => {
    http.unready();
    await bounded(new Promise<never>(() => {}), bounds.delay, force);
    http.refuse();
    for (const thread of threads) thread.stopRestarting();
    const before = sum(upstreams.map((upstream) => upstream.replies));
    const drains = upstreams.map((upstream) => upstream.drain());
    const drained = await bounded(allDone(drains), bounds.drain, force);
    const replied = sum(upstreams.map((upstream) => upstream.replies)) - before;
    const left = sum(upstreams.map((upstream) => upstream.inFlight));
    return { outcome: drained ? "done" : "forced", counts: { replied, left } };
  });

  await step("stop", async () => {
    http.stop();
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
    let discarded = 0;
    for (const each of await Promise.all(cancels)) {
      for (const sent of ["no", "maybe", "yes"] as const) cancelled[sent] += each?.counts[sent] ?? 0;
      discarded += each?.discarded ?? 0;
    }
    // If the thread hangs, settle its callers here: no caller may be left waiting.
    for (const upstream of upstreams) cancelled.maybe += upstream.abandonAll();
    const flushed = await bounded(allDone([http.flushed()]), Math.max(0, until - performance.now()), force);
    http.cut();
    return { outcome: "done", counts: { cancelled, messages: discarded, flushed: flushed === true } };
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
  upstream: ExitingUpstream,
  withinMs: number,
  force: AbortSignal,
): Promise<CloseCounts & { readonly upstream: string }> {
  const inTime = force.aborted ? undefined : await bounded(upstream.close(withinMs), withinMs + THREAD_GRACE_MS, force);
  // Forced before the close or in the middle of it: close again, with no time left.
  const close = inTime ?? (force.aborted ? await bounded(upstream.close(0), HURRIED_MS, undefined) : undefined);
  return { upstream: upstream.name, ...(close ?? { code: null, by: null, forced: true }) };
}

async function joinOne(thread: ExitingThread, bounds: ShutdownBounds, force: AbortSignal): Promise<StepOutcome> {
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

/** Waits for `work` until the bound has passed, or not at all once forced. @returns undefined if it did not finish */
async function bounded<Value>(
  work: Promise<Value>,
  withinMs: number,
  force: AbortSignal | undefined,
): Promise<Value | undefined> {
  // p-timeout has no bound of zero. A result that is already there must still count.
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
