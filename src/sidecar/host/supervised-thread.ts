/** A supervised thread, which is restarted when it dies or hangs, and joined at the end. */

import { fullJitter } from "../../core/util/backoff.ts";
import { type MessageBatch, Outbox } from "../batching.ts";
import type { FromThread, ToThread } from "../contract.ts";
import { packToThread, type RowFromThread, type Transferred, unpackFromThread } from "../message-codec.ts";

/** A thread as the runtime starts it: the part of `Thread` in `runtime/runtime.ts` that the host needs. */
export interface RawThread {
  readonly port: {
    on(event: "message", listener: (batch: MessageBatch<RowFromThread>) => void): unknown;
    postMessage(message: unknown, transfer?: readonly Transferred[]): void;
    ref(): void;
    unref(): void;
  };
  readonly ended: Promise<{ readonly error: string | undefined }>;
  terminate(): void;
}

/** A user of the thread: the host side of one upstream. */
export interface ThreadClient {
  /** The messages with which every new thread begins. */
  openingMessages(): readonly ToThread[];
  receive(message: FromThread): void;
  /** The thread died: no reply comes to anything posted so far. The `unposted` requests never even reached it. */
  crashed(detail: string, unposted: ReadonlySet<number>): void;
  /** The thread died too often and is not restarted. */
  lost(detail: string): void;
}

/** How long the thread may take to report that a bound of its own has passed, in milliseconds. */
export const THREAD_GRACE_MS = 50;

/** Five crashes within half a minute are no accident: another restart would only heat the machine. */
const CRASHES_MAX = 5;
const CRASHES_WITHIN_MS = 30_000;
const RESTART_FROM_MS = 100;
const RESTART_TO_MS = 5_000;

/**
 * The interval of heartbeats, and the number of missed ones after which the thread is given up. They are counted
 * instead of timed, so that a host that was itself suspended or blocked does not blame the thread.
 */
const HEARTBEAT_MS = 1_000;
const MISSED_MAX = 5;
/** Loading its modules takes the thread longer on a busy machine. */
const MISSED_MAX_AT_START = 30;
/** A thread that outlives its termination by this is stuck in native code: nothing in the process can end it. */
const UNENDING_MS = 2_000;

type Running = {
  readonly phase: "running";
  readonly thread: RawThread;
  /** Undefined until the thread is `ready`. */
  outbox: Outbox<ToThread> | undefined;
  missed: number;
};

type ThreadPhase =
  | Running
  /** It died, or hung and is being terminated. Messages posted from here on wait for the next thread. */
  | { readonly phase: "ending"; readonly thread: RawThread }
  | { readonly phase: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly phase: "ended" };

/** Serves several upstreams by their names, through one thread at a time. */
export class SidecarThread {
  readonly #start: () => RawThread;
  readonly #clients = new Map<string, ThreadClient>();
  readonly #heartbeat: NodeJS.Timeout;
  /** Messages posted while no thread listened. */
  #unposted: ToThread[] = [];
  #phase: ThreadPhase;
  #crashes: number[] = [];
  #restarts = true;

  constructor(start: () => RawThread) {
    this.#start = start;
    this.#phase = this.#launch();
    this.#heartbeat = setInterval(() => this.#checkHeartbeat(), HEARTBEAT_MS).unref();
  }

  /** Adds an upstream. Must be called before the thread can be ready: in the turn that created it. */
  add(name: string, client: ThreadClient): void {
    this.#clients.set(name, client);
  }

  /** False if no reply comes to anything posted from here on. */
  get alive(): boolean {
    return this.#phase.phase === "running" || (this.#restarts && this.#phase.phase !== "ended");
  }

  /** @param alone true if nothing else is on its way to the thread */
  post(message: ToThread, alone = false): void {
    if (this.#phase.phase === "running" && this.#phase.outbox) this.#phase.outbox.push(message, alone);
    else if (this.alive && !this.#abandonsUnposted(message)) this.#unposted.push(message);
  }

  /** Posts what waits for the end of the turn: for a caller that blocks before it comes. */
  flush(): void {
    if (this.#phase.phase === "running") this.#phase.outbox?.flush();
  }

  /**
   * Withdraws an upstream's requests that have reached no thread: the one with this number, or all.
   * @returns the numbers of the withdrawn requests, of which nothing was sent or will be
   */
  withdraw(upstream: string, seq?: number): readonly number[] {
    const withdrawn: number[] = [];
    this.#unposted = this.#unposted.filter((message) => {
      const isMeant =
        message.type === "request" && message.upstream === upstream && (seq ?? message.seq) === message.seq;
      if (isMeant) withdrawn.push(message.seq);
      return !isMeant;
    });
    return withdrawn;
  }

  /** A request that has reached no thread is withdrawn with its `abandon`: no thread need know of either. */
  #abandonsUnposted(message: ToThread): boolean {
    return message.type === "abandon" && this.withdraw(message.upstream, message.seq).length > 0;
  }

  /** From here on a thread that ends is not replaced. */
  stopRestarting(): void {
    this.#restarts = false;
    clearInterval(this.#heartbeat);
    if (this.#phase.phase !== "waiting") return;
    clearTimeout(this.#phase.timer);
    this.#phase = { phase: "ended" };
  }

  /** Lets the thread end itself. Resolves when it really has ended. */
  async end(): Promise<void> {
    this.stopRestarting();
    this.post({ type: "end", upstream: "*" });
    if ("thread" in this.#phase) await this.#phase.thread.ended;
  }

  /** Ends the thread from outside, whatever it is doing. Resolves when it really has ended. */
  async terminate(): Promise<void> {
    this.stopRestarting();
    if (!("thread" in this.#phase)) return;
    const { thread } = this.#phase;
    thread.terminate();
    await thread.ended;
  }

  #launch(): ThreadPhase {
    const thread = this.#start();
    const running: Running = { phase: "running", thread, outbox: undefined, missed: 0 };
    thread.port.on("message", (batch) => {
      running.missed = 0;
      if (this.#phase !== running) return;
      unpackFromThread(batch.row, (message) => {
        if (message.type === "ready") this.#onReady(running);
        else this.#clients.get(message.upstream)?.receive(message);
      });
    });
    thread.ended.then(({ error }) => this.#onEnded(running, error));
    return running;
  }

  #onReady(running: Running): void {
    running.outbox = new Outbox(running.thread.port, () => performance.now(), packToThread);
    const opening = [...this.#clients.values()].flatMap((client) => client.openingMessages());
    for (const message of [...opening, ...this.#unposted.splice(0)]) running.outbox.push(message);
    running.outbox.flush();
  }

  #checkHeartbeat(): void {
    if (this.#phase.phase !== "running") return;
    const { outbox, missed } = this.#phase;
    if (missed < (outbox ? MISSED_MAX : MISSED_MAX_AT_START)) {
      this.#phase.missed++;
      outbox?.push({ type: "heartbeat", upstream: "*" });
      return;
    }
    this.hung(`it did not respond for ${(missed * HEARTBEAT_MS) / 1_000} s`);
  }

  /** Gives up a thread that does not respond; the next one is started once it has ended. */
  hung(detail: string): void {
    if (this.#phase.phase !== "running") return;
    const { thread } = this.#phase;
    this.#phase = { phase: "ending", thread };
    this.#reportCrash(detail);
    const timer = setTimeout(() => this.#giveUp(`${detail}, and cannot be ended`), UNENDING_MS);
    thread.ended.then(() => clearTimeout(timer));
    thread.terminate();
  }

  #onEnded(running: Running, error: string | undefined): void {
    const hung = this.#phase !== running;
    const detail = error ?? "it ended unexpectedly";
    // First of all: a client that posts again on the crash must not post to the dead thread.
    this.#phase = { phase: "ending", thread: running.thread };
    // The crash of a hung thread was reported when it was detected.
    if (!hung && (this.#restarts || error !== undefined)) this.#reportCrash(detail);
    this.#phase = { phase: "ended" };
    if (!this.#restarts) return;
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASHES_WITHIN_MS), now];
    if (this.#crashes.length >= CRASHES_MAX) {
      this.#giveUp(`it died ${CRASHES_MAX} times within ${CRASHES_WITHIN_MS / 1_000} s; the last time: ${detail}`);
      return;
    }
    const delay = fullJitter(this.#crashes.length - 1, RESTART_FROM_MS, RESTART_TO_MS, Math.random());
    const timer = setTimeout(() => {
      this.#phase = this.#launch();
    }, delay);
    this.#phase = { phase: "waiting", timer };
  }

  #giveUp(detail: string): void {
    this.stopRestarting();
    this.#unposted = [];
    for (const client of this.#clients.values()) client.lost(`the sidecar's thread was given up: ${detail}`);
  }

  /** No reply comes to anything posted to this thread. Requests that never reached it are known to be unsent. */
  #reportCrash(detail: string): void {
    const unposted = new Set(this.#unposted.flatMap((message) => (message.type === "request" ? message.seq : [])));
    this.#unposted = [];
    for (const client of this.#clients.values()) client.crashed(detail, unposted);
  }
}
