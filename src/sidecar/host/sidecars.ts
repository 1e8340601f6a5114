/** All upstreams of one program, on their threads. */

import type { ShutdownBounds, UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type ExitReport, type HttpSide, runExit } from "./exit.ts";
import { type RawThread, type Separate, SidecarThread } from "./supervised-thread.ts";
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
  readonly #threads: SidecarThread[];
  readonly #bounds: ShutdownBounds;
  readonly #http: HttpSide;
  readonly #force = new AbortController();
  #exit: Promise<ExitReport> | undefined;
  /** The worst exit code of all failures that led to the exit or occurred during it. */
  #exitCode: number | undefined;

  constructor(
    settings: ReadonlyMap<string, UpstreamSettings>,
    bounds: ShutdownBounds,
    startThread: () => RawThread,
    http: HttpSide = noHttpSide,
  ) {
    const separate: Separate = (from, names) => {
      const own = new SidecarThread(startThread, separate);
      this.#threads.push(own);
      for (const name of names) from.handOver(name, own);
    };
    const threads = Array.from(
      { length: Math.min(settings.size, THREADS_MAX) },
      () => new SidecarThread(startThread, separate),
    );
    const upstreams = [...settings].map(([name, upstream], index): [string, UpstreamClient] => {
      const thread = threads[index % threads.length];
      if (!thread) throw new RangeError(`unreachable: no thread for upstream "${name}"`);
      return [name, new UpstreamClient(name, upstream, thread)];
    });
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
