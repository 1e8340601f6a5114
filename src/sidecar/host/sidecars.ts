import type { ShutdownBounds, UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type ExitReport, type Front, runExit } from "./exit.ts";
import { type RawThread, SidecarThread } from "./supervised-thread.ts";
import { UpstreamClient } from "./upstream-client.ts";

/** A thread costs about 12 MB: from this many on, upstreams share them. */
const THREADS_MAX = 8;

export interface ExitOptions {
  readonly cause: string;
  readonly force?: boolean | undefined;
  /** The exit code of the failure that led to it. */
  readonly exitCode?: number | undefined;
}

/** All upstreams of one program, on their threads, with one beginning and one end. */
export class Sidecars {
  readonly upstreams: ReadonlyMap<string, UpstreamClient>;
  readonly #threads: readonly SidecarThread[];
  readonly #bounds: ShutdownBounds;
  readonly #front: Front;
  readonly #force = new AbortController();
  #exit: Promise<ExitReport> | undefined;
  /** The worst of those that the failures have which led to the exit, or came up meanwhile. */
  #exitCode: number | undefined;

  constructor(
    settings: ReadonlyMap<string, UpstreamSettings>,
    bounds: ShutdownBounds,
    startThread: () => RawThread,
    front: Front = noFront,
  ) {
    const threads = Array.from({ length: Math.min(settings.size, THREADS_MAX) }, () => new SidecarThread(startThread));
    const upstreams = [...settings].map(([name, upstream], index): [string, UpstreamClient] => {
      const thread = threads[index % threads.length];
      if (!thread) throw new RangeError("there is no upstream without a thread");
      return [name, new UpstreamClient(name, upstream, thread)];
    });
    this.upstreams = new Map(upstreams);
    this.#threads = threads;
    this.#bounds = bounds;
    this.#front = front;
  }

  /** Resolves when every upstream lives on its thread; rejects when one cannot. They may not be connected yet. */
  async opened(): Promise<void> {
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.opened));
  }

  /** Resolves with the reason when a protocol cannot be loaded, or a thread has died too often. */
  get failing(): Promise<Failure> {
    return Promise.race([...this.upstreams.values()].map((upstream) => upstream.failing));
  }

  get exiting(): boolean {
    return this.#exit !== undefined;
  }

  /** Runs the exit protocol: once, however many ask for it. Who asks with force makes the rest of it quick. */
  exit({ cause, force = false, exitCode }: ExitOptions): Promise<ExitReport> {
    if (force) this.#force.abort();
    if (exitCode !== undefined) this.#exitCode = Math.max(exitCode, this.#exitCode ?? 0);
    this.#exit ??= runExit({
      cause,
      bounds: this.#bounds,
      upstreams: [...this.upstreams.values()],
      threads: this.#threads,
      front: this.#front,
      force: this.#force.signal,
      exitCode: () => this.#exitCode,
    });
    return this.#exit;
  }
}

/** Where there is no HTTP side. */
export const noFront: Front = { unready() {}, refuse() {}, stop() {}, async flushed() {}, cut() {} };
