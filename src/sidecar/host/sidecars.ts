/** All upstreams of one program, on their threads. */

import type { ShutdownBounds, UpstreamSettings } from "../../config/schema.ts";
import { Budget, type BudgetMemory, budgetMemory, sidesFor } from "../../core/util/budget.ts";
import { deferred } from "../../core/util/deferred.ts";
import type { Failure } from "../../errors.ts";
import type { ThreadCluster, TracedFrame } from "../contract.ts";
import { type ExitReport, type HttpSide, runExit } from "./exit.ts";
import type { AnswerHeld } from "./held-things.ts";
import { type RawThread, type Separate, SidecarThread } from "./supervised-thread.ts";
import { ThreadBudget } from "./thread-budget.ts";
import { type Tape, UpstreamClient } from "./upstream-client.ts";

/**
 * The threads to begin with, each of which costs about 12 MB; with more upstreams than this, they share threads. One
 * that keeps killing its thread gets another one of its own.
 */
const THREADS_MAX = 8;

export interface ExitOptions {
  readonly cause: string;
  readonly force?: boolean | undefined;
  /** The exit code of the failure that led to the exit. */
  readonly exitCode?: number | undefined;
}

export type FrameListener = (upstream: string, frame: TracedFrame) => void;

/** Returns the tape of an upstream that is recorded. */
export type TapeOf = (upstream: string) => Tape | undefined;

/** The upstreams start and exit together; some may come and go meanwhile. */
export class Sidecars {
  /** The host's side of the budget. */
  readonly budget: Budget;
  /** The time limits of the exit's steps. */
  bounds: ShutdownBounds;
  /** Answers other replicas about what this one holds; set before they can know of any. */
  answerHeld: AnswerHeld = () => Promise.resolve(new Uint8Array());
  readonly #upstreams = new Map<string, UpstreamClient>();
  /** All that are on a thread: those that serve, that are to serve soon, and that run their exit steps. */
  readonly #alive = new Set<UpstreamClient>();
  readonly #memory: BudgetMemory;
  /** By the number of their sides in the budget. */
  readonly #threads: (SidecarThread | undefined)[];
  readonly #startThread: () => RawThread;
  readonly #http: HttpSide;
  readonly #onFrame: FrameListener | undefined;
  readonly #tapeOf: TapeOf | undefined;
  #cluster: ThreadCluster | undefined;
  readonly #force = new AbortController();
  readonly #failing = deferred<Failure>();
  #exit: Promise<ExitReport> | undefined;
  /** The worst exit code of all failures that led to the exit or occurred during it. */
  #exitCode: number | undefined;

  /**
   * @param memoryBytes the limit of the budget of all upstreams together
   * @param onFrame called with every frame of the upstreams; without it the threads trace none
   * @param cluster the cluster whose replicas share the upstreams
   */
  constructor(
    settings: ReadonlyMap<string, UpstreamSettings>,
    bounds: ShutdownBounds,
    startThread: () => RawThread,
    http: HttpSide = noHttpSide,
    memoryBytes = Number.POSITIVE_INFINITY,
    onFrame?: FrameListener,
    tapeOf?: TapeOf,
    cluster?: ThreadCluster,
  ) {
    this.#cluster = cluster;
    this.#onFrame = onFrame;
    this.#tapeOf = tapeOf;
    // Each upstream may get a thread of its own, besides those that they share; and one may make way for another.
    const threadsMax = THREADS_MAX + Math.max(settings.size, THREADS_MAX);
    this.#memory = budgetMemory(memoryBytes, sidesFor(threadsMax));
    this.#threads = new Array<SidecarThread | undefined>(threadsMax).fill(undefined);
    this.budget = new Budget(this.#memory);
    this.bounds = bounds;
    this.#startThread = startThread;
    this.#http = http;
    for (const [name, upstream] of settings) this.#serve(name, this.open(name, upstream));
    this.#cluster &&= { ...this.#cluster, keepsTrying: true };
  }

  get upstreams(): ReadonlyMap<string, UpstreamClient> {
    return this.#upstreams;
  }

  /** Opens an upstream on a thread, and lets it connect. It does not serve before it is among those of `serve`. */
  open(name: string, settings: UpstreamSettings): UpstreamClient {
    return this.#open(name, settings, this.#threadFor(name));
  }

  /** Opens an instance on the thread of its upstream, for which it counts, too. It never serves by its name. */
  openInstance(upstream: UpstreamClient, name: string, settings: UpstreamSettings): UpstreamClient {
    const thread = upstream.thread.alive ? upstream.thread : this.#threadFor(name);
    return this.#open(name, settings, thread, upstream);
  }

  #open(name: string, settings: UpstreamSettings, thread: SidecarThread, of?: UpstreamClient): UpstreamClient {
    const trace = this.#onFrame;
    const onFrame = trace && ((frame: TracedFrame) => trace(name, frame));
    // Templates and instances stay with the replica that has them.
    const isShared = of === undefined && !settings.template && settings.owner !== "each";
    const cluster = isShared ? this.#cluster : undefined;
    const answerHeld: AnswerHeld = (question, left) => this.answerHeld(question, left);
    const options = { onFrame, tape: this.#tapeOf?.(name), of, cluster, answerHeld };
    const client = new UpstreamClient(name, settings, thread, options);
    this.#alive.add(client);
    return client;
  }

  /** Replaces the upstreams that serve, all at once. @returns those that serve no more, which must `leave` */
  serve(upstreams: ReadonlyMap<string, UpstreamClient>): readonly UpstreamClient[] {
    const serving = new Set(upstreams.values());
    const leaving = [...this.#upstreams.values()].filter((client) => !serving.has(client));
    const known = new Set(this.#upstreams.values());
    this.#upstreams.clear();
    for (const [name, client] of upstreams) {
      if (known.has(client)) this.#upstreams.set(name, client);
      else this.#serve(name, client);
    }
    return leaving;
  }

  /** Runs the exit steps of one upstream, and ends its thread if that has no other. */
  async leave(client: UpstreamClient, why: string, bounds = this.bounds): Promise<ExitReport> {
    client.leave(why);
    const report = await runExit({
      cause: why,
      bounds: { ...bounds, delay: 0 },
      upstreams: [client],
      threads: [threadOf(client)],
      http: noHttpSide,
      force: this.#force.signal,
    });
    this.#alive.delete(client);
    client.counts.leave();
    this.#free(client.thread);
    return report;
  }

  /** Resolves when every upstream is open on its thread, connected or not; rejects if one cannot be opened. */
  async opened(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.opened));
  }

  /** Resolves with the failure when a protocol cannot be loaded, or a thread cannot be ended. */
  get failing(): Promise<Failure> {
    return this.#failing.promise;
  }

  get exiting(): boolean {
    return this.#exit !== undefined;
  }

  /** Runs the exit protocol once; every caller gets the same report. `force` shortens the rest of an exit under way. */
  exit({ cause, force = false, exitCode }: ExitOptions): Promise<ExitReport> {
    if (force) this.#force.abort();
    if (exitCode !== undefined) this.#exitCode = Math.max(exitCode, this.#exitCode ?? 0);
    this.#exit ??= runExit({
      cause,
      bounds: this.bounds,
      upstreams: [...this.#alive],
      threads: this.#present,
      http: this.#http,
      force: this.#force.signal,
      exitCode: () => this.#exitCode,
    });
    return this.#exit;
  }

  #serve(name: string, client: UpstreamClient): void {
    this.#upstreams.set(name, client);
    client.failing.then((failure) => {
      if (this.#upstreams.get(name) === client) this.#failing.resolve(failure);
    });
  }

  get #present(): readonly SidecarThread[] {
    return this.#threads.filter((thread) => thread !== undefined);
  }

  /** A new thread or, once there are enough, the one with the fewest upstreams. None serves two of one name. */
  #threadFor(name: string): SidecarThread {
    const fit = this.#present.filter((thread) => thread.alive && !thread.has(name));
    const isEnough = this.#present.length >= THREADS_MAX && fit.length > 0;
    const fresh = isEnough ? undefined : this.#start();
    const [first, ...others] = fit;
    if (fresh || !first) return fresh ?? unreachable(name);
    return others.reduce((least, thread) => (thread.size < least.size ? thread : least), first);
  }

  readonly #separate: Separate = (from, names) => {
    const own = this.#start();
    // Without a place in the budget they stay together.
    if (own) for (const name of names) from.handOver(name, own);
  };

  /** @returns undefined if the budget has no place for one more */
  #start(): SidecarThread | undefined {
    const index = this.#threads.indexOf(undefined);
    if (index < 0) return undefined;
    const budget = new ThreadBudget(this.budget, this.#memory, index);
    const thread = new SidecarThread(this.#startThread, this.#separate, budget);
    this.#threads[index] = thread;
    return thread;
  }

  /** The place of a thread that has ended can be taken by another; that of one that could not be ended is lost. */
  #free(thread: SidecarThread): void {
    const index = this.#threads.indexOf(thread);
    if (index < 0 || thread.alive || thread.isRunning) return;
    thread.budget.crashed();
    this.#threads[index] = undefined;
  }
}

/** The thread as one upstream leaves it: only the last one ends it. */
function threadOf(client: UpstreamClient) {
  return {
    stopRestarting: () => {
      if (client.thread.size === 1) client.thread.stopRestarting();
    },
    end: async () => {
      client.thread.remove(client.name);
      if (client.thread.size === 0) await client.thread.end();
    },
    terminate: async () => {
      if (client.thread.size === 0) await client.thread.terminate();
    },
  };
}

function unreachable(name: string): never {
  throw new RangeError(`unreachable: no thread for upstream "${name}"`);
}

export const noHttpSide: HttpSide = { unready() {}, refuse() {}, stop() {}, async flushed() {}, cut() {} };
