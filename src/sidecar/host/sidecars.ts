/** All upstreams of one program, on their threads. */

import type { ShutdownBounds, UpstreamSettings } from "../../config/schema.ts";
import { Budget, budgetMemory, sidesFor } from "../../core/util/budget.ts";
import type { Failure } from "../../errors.ts";
import { type ExitReport, type HttpSide, runExit } from "./exit.ts";
import { type RawThread, type Separate, SidecarThread } from "./supervised-thread.ts";
import { ThreadBudget } from "./thread-budget.ts";
import { UpstreamClient } from "./upstream-client.ts";

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

/** The upstreams start and exit together. */
export class Sidecars {
  readonly upstreams: ReadonlyMap<string, UpstreamClient>;
  /** The host's side of the budget. */
  readonly budget: Budget;
  readonly #threads: SidecarThread[];
  readonly #bounds: ShutdownBounds;
  readonly #http: HttpSide;
  readonly #force = new AbortController();
  #exit: Promise<ExitReport> | undefined;
  /** The worst exit code of all failures that led to the exit or occurred during it. */
  #exitCode: number | undefined;

  /** @param memoryBytes the limit of the budget of all upstreams together */
  constructor(
    settings: ReadonlyMap<string, UpstreamSettings>,
    bounds: ShutdownBounds,
    startThread: () => RawThread,
    http: HttpSide = noHttpSide,
    memoryBytes = Number.POSITIVE_INFINITY,
  ) {
    // Each upstream may get a thread of its own, besides those that they share.
    const memory = budgetMemory(memoryBytes, sidesFor(THREADS_MAX + settings.size));
    const budget = new Budget(memory);
    const threads: SidecarThread[] = [];
    const separate: Separate = (from, names) => {
      const own = start();
      for (const name of names) from.handOver(name, own);
    };
    const start = (): SidecarThread => {
      const thread = new SidecarThread(startThread, separate, new ThreadBudget(budget, memory, threads.length));
      threads.push(thread);
      return thread;
    };
    const count = Math.min(settings.size, THREADS_MAX);
    for (let index = 0; index < count; index++) start();
    const upstreams = [...settings].map(([name, upstream], index): [string, UpstreamClient] => {
      const thread = threads[index % count];
      if (!thread) throw new RangeError(`unreachable: no thread for upstream "${name}"`);
      return [name, new UpstreamClient(name, upstream, thread)];
    });
    this.budget = budget;
    this.upstreams = new Map(upstreams);
    this.#threads = threads;
    this.#bounds = bounds;
    this.#http = http;
  }

  /** Resolves when every upstream is open on its thread, connected or not; rejects if one cannot be opened. */
  async opened(): Promise<void> {
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.opened));
  }

  /** Resolves with the failure when a protocol cannot be loaded, or a thread cannot be ended. */
  get failing(): Promise<Failure> {
    return Promise.race([...this.upstreams.values()].map((upstream) => upstream.failing));
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
      bounds: this.#bounds,
      upstreams: [...this.upstreams.values()],
      threads: this.#threads,
      http: this.#http,
      force: this.#force.signal,
      exitCode: () => this.#exitCode,
    });
    return this.#exit;
  }
}

export const noHttpSide: HttpSide = { unready() {}, refuse() {}, stop() {}, async flushed() {}, cut() {} };
