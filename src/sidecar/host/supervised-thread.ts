/** A supervised thread, which is restarted when it dies or hangs, and joined at the end. */

import { fullJitter } from "../../core/util/backoff.ts";
import { Histogram } from "../../core/util/histogram.ts";
import { type MessageBatch, Outbox } from "../batching.ts";
import type { CommandOf, FromThread, ThreadReport, ToThread } from "../contract.ts";
import { packToThread, type RowFromThread, type Transferred, unpackFromThread } from "../message-codec.ts";
import { UpstreamNumbers } from "../upstream-numbers.ts";
import { ThreadBudget } from "./thread-budget.ts";

/** A thread as the runtime starts it: the part of `Thread` in `runtime/runtime.ts` that the host needs. */
export interface RawThread {
  readonly port: {
    on(event: "message", listener: (batch: MessageBatch<RowFromThread>) => void): unknown;
    postMessage(message: unknown, transfer?: readonly Transferred[]): void;
    ref(): void;
    unref(): void;
  };
  /** The number of the upstream that it works for, or 0; readable even when the thread is gone. */
  readonly mark: Int32Array;
  /** `last`: what it posted before its end, and the port did not deliver. */
  readonly ended: Promise<{ readonly error: string | undefined; readonly last: readonly unknown[] }>;
  terminate(): void;
}

/** A user of the thread: the host side of one upstream. */
export interface ThreadClient {
  /** The messages with which every new thread begins. @param number the upstream's on that thread */
  openingMessages(number: number): readonly ToThread[];
  receive(message: FromThread): void;
  /** The thread died: no reply comes to anything posted so far. The `unposted` requests never even reached it. */
  crashed(detail: string, unposted: ReadonlySet<number>): void;
  /** The thread cannot be ended, and is not replaced. */
  lost(detail: string): void;
  /**
   * The upstream alone has killed its thread too often.
   * @returns milliseconds until it is tried again; undefined for never
   */
  refused(detail: string): number | undefined;
  /** The pause after `refused` is over: a thread is started. */
  tried(): void;
  /** Messages go to this thread from here on. */
  moved(thread: SidecarThread): void;
  report(report: ThreadReport): void;
}

/** Moves these upstreams to another thread of their own, since one of them kills the thread that they are on. */
export type Separate = (from: SidecarThread, upstreams: readonly string[]) => void;

/** Five crashes within half a minute are no accident: another restart would only heat the machine. */
const CRASHES_MAX = 5;
const CRASHES_WITHIN_MS = 30_000;
/** The crashes of a shared thread for which one upstream is to blame, until it is separated from the others. */
const SHARED_CRASHES_MAX = 2;
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
  /** The numbers of its upstreams. */
  readonly numbers: UpstreamNumbers;
  /** The thread has reported the exception of which it dies, and the upstream to blame, if it is known. */
  dying: { readonly upstream: string } | undefined;
  /** Undefined until the thread is `ready`. */
  outbox: Outbox<ToThread> | undefined;
  missed: number;
};

type ThreadPhase =
  | Running
  /** It died, or hung and is being terminated. Messages posted from here on wait for the next thread. */
  | { readonly phase: "ending"; readonly thread: RawThread }
  | { readonly phase: "waiting"; readonly timer: NodeJS.Timeout }
  /** The only upstream has killed it too often. Messages posted from here on are dropped: its client knows. */
  | { readonly phase: "refused"; readonly timer: NodeJS.Timeout | undefined }
  | { readonly phase: "ended" };

interface Crash {
  readonly at: number;
  /** The upstream to blame, if it is known. */
  readonly culprit: string | undefined;
}

/** The number of threads that the program has started, restarts not counted. */
let threads = 0;

/** Serves several upstreams by their names, through one thread at a time. */
export class SidecarThread {
  /** A name that no other thread of the program has, whatever it serves. */
  readonly name = `sidecar-${++threads}`;
  /** The lag of the thread's event loop; the host measures its own. */
  readonly lag = new Histogram();
  /** The account of the memory that the thread holds. */
  readonly budget: ThreadBudget;
  readonly #start: () => RawThread;
  readonly #separate: Separate;
  readonly #clients = new Map<string, ThreadClient>();
  readonly #heartbeat: NodeJS.Timeout;
  /** Messages posted while no thread listened. */
  #unposted: ToThread[] = [];
  #phase: ThreadPhase;
  #crashes: readonly Crash[] = [];
  #restarts = true;
  #crashed = 0;

  constructor(start: () => RawThread, separate: Separate = () => {}, budget = ThreadBudget.unlimited()) {
    this.budget = budget;
    this.#start = start;
    this.#separate = separate;
    this.#phase = this.#launch();
    this.#heartbeat = setInterval(() => this.#checkHeartbeat(), HEARTBEAT_MS).unref();
  }

  /** Adds an upstream, which a thread that listens opens now, and any other once it does. */
  add(name: string, client: ThreadClient): void {
    this.#clients.set(name, client);
    if (this.#phase.phase !== "running" || !this.#phase.outbox) return;
    const number = this.#phase.numbers.add(name);
    for (const message of client.openingMessages(number)) this.#phase.outbox.push(message);
  }

  has(name: string): boolean {
    return this.#clients.has(name);
  }

  /** How many upstreams it serves. */
  get size(): number {
    return this.#clients.size;
  }

  /** Forgets an upstream that has run its exit steps, with all that the thread keeps of it. */
  remove(name: string): void {
    if (!this.#clients.delete(name)) return;
    if (this.#phase.phase === "running") this.#phase.numbers.remove(name);
    this.#unposted = this.#unposted.filter(({ upstream }) => upstream !== name);
    if (this.listens) this.post({ type: "remove", upstream: name });
  }

  /** Moves an upstream to a new thread, with what was posted for it and reached none. Call while this one is dead. */
  handOver(name: string, to: SidecarThread): void {
    const client = this.#clients.get(name);
    if (!client) return;
    this.#clients.delete(name);
    to.add(name, client);
    client.moved(to);
    const isMoved = (message: ToThread) => message.upstream === name;
    for (const message of this.#unposted.filter(isMoved)) to.post(message);
    this.#unposted = this.#unposted.filter((message) => !isMoved(message));
  }

  /** True until the present thread has really ended. */
  get isRunning(): boolean {
    return "thread" in this.#phase;
  }

  /** False if no reply comes to anything posted from here on. */
  get alive(): boolean {
    const { phase } = this.#phase;
    return phase === "running" || (this.#restarts && (phase === "ending" || phase === "waiting"));
  }

  /** @param alone true if nothing else is on its way to the thread */
  post(message: ToThread, alone = false): void {
    if (this.#phase.phase === "running" && this.#phase.outbox) this.#phase.outbox.push(message, alone);
    else if (this.alive && !isInOpening(message) && !this.#cancelsUnposted(message)) this.#unposted.push(message);
  }

  /** How often it died, or hung and was given up. */
  get crashes(): number {
    return this.#crashed;
  }

  /** True if what is posted now reaches the present thread, unless that dies. */
  get listens(): boolean {
    return this.#phase.phase === "running" && this.#phase.outbox !== undefined;
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
      const isMeant = isCall(message) && message.upstream === upstream && (seq ?? message.seq) === message.seq;
      if (isMeant) withdrawn.push(message.seq);
      return !isMeant;
    });
    return withdrawn;
  }

  /** A request or a read that has reached no thread is withdrawn with its end: no thread need know of either. */
  #cancelsUnposted(message: ToThread): boolean {
    if (message.type === "abandon") return this.withdraw(message.upstream, message.seq).length > 0;
    if (message.type !== "cancelRead") return false;
    const { upstream, seq } = message;
    const at = this.#unposted.findIndex((one) => one.type === "read" && one.upstream === upstream && one.seq === seq);
    if (at >= 0) this.#unposted.splice(at, 1);
    return at >= 0;
  }

  /** From here on a thread that ends is not replaced. */
  stopRestarting(): void {
    this.#restarts = false;
    clearInterval(this.#heartbeat);
    if (this.#phase.phase !== "waiting" && this.#phase.phase !== "refused") return;
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
    const numbers = new UpstreamNumbers();
    const running: Running = { phase: "running", thread, numbers, dying: undefined, outbox: undefined, missed: 0 };
    thread.port.on("message", (batch) => {
      running.missed = 0;
      this.#receive(running, batch, () => this.#onReady(running));
    });
    thread.ended.then(({ error, last }) => {
      // It listens no more, though it may have said so: nothing must be posted to it.
      for (const batch of last) this.#receive(running, batch as MessageBatch<RowFromThread>, () => {});
      this.#onEnded(running, error);
    });
    return running;
  }

  #receive(running: Running, { row }: MessageBatch<RowFromThread>, onReady: () => void): void {
    if (this.#phase !== running) return;
    unpackFromThread(row, running.numbers, (message) => {
      if (message.type === "ready") onReady();
      else if (message.type === "report") this.#onReport(running, message);
      else if (message.type === "heartbeat") for (const ms of message.lagMs) this.lag.observe(ms / 1_000);
      else this.#clients.get(message.upstream)?.receive(message);
    });
  }

  #onReady(running: Running): void {
    const { numbers, thread } = running;
    running.outbox = new Outbox(thread.port, () => performance.now(), packToThread(numbers));
    const opening = [...this.#clients].flatMap(([name, client]) => client.openingMessages(numbers.add(name)));
    for (const message of [...opening, ...this.#unposted.splice(0)]) running.outbox.push(message);
    running.outbox.flush();
  }

  /** A report of an unknown upstream's module goes to the log of the first: what matters is that it is read. */
  #onReport(running: Running, { upstream, report }: Extract<FromThread, { type: "report" }>): void {
    if (report.event === "dying") running.dying = { upstream };
    const [first] = this.#clients.values();
    (this.#clients.get(upstream) ?? first)?.report(report);
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
    const detail = running.dying ? "the reason is in the log" : (error ?? "it ended unexpectedly");
    // First of all: a client that posts again on the crash must not post to the dead thread.
    this.#phase = { phase: "ending", thread: running.thread };
    // The crash of a hung thread was reported when it was detected.
    if (!hung && (this.#restarts || error !== undefined)) this.#reportCrash(detail);
    this.#phase = { phase: "ended" };
    if (!this.#restarts) return;
    this.#noteCrash(running);
    if (this.#clients.size > 1) {
      const leaving = this.#leaving();
      if (leaving.length > 0) this.#separate(this, leaving);
    } else if (this.#crashes.length >= CRASHES_MAX) {
      this.#refuse(`it died ${CRASHES_MAX} times within ${CRASHES_WITHIN_MS / 1_000} s; the last time: ${detail}`);
      return;
    }
    const delay = fullJitter(this.#crashes.length - 1, RESTART_FROM_MS, RESTART_TO_MS, Math.random());
    const timer = setTimeout(() => {
      this.#phase = this.#launch();
    }, delay);
    this.#phase = { phase: "waiting", timer };
  }

  #noteCrash({ thread, numbers, dying }: Running): void {
    const now = performance.now();
    const name = numbers.nameOf(thread.mark[0] ?? 0) ?? dying?.upstream ?? "*";
    const culprit = this.#clients.has(name) ? name : undefined;
    this.#crashes = [...this.#crashes.filter(({ at }) => now - at < CRASHES_WITHIN_MS), { at: now, culprit }];
  }

  /**
   * The upstreams that must leave a shared thread: the one that keeps killing it or, if that is not known, half of
   * them, so that the one to blame is soon alone.
   */
  #leaving(): readonly string[] {
    const culprit = this.#crashes.at(-1)?.culprit;
    const same = this.#crashes.filter((crash) => crash.culprit === culprit).length;
    if (same < SHARED_CRASHES_MAX && this.#crashes.length < CRASHES_MAX) return [];
    const names = [...this.#clients.keys()];
    this.#crashes = [];
    return culprit === undefined ? names.slice(Math.ceil(names.length / 2)) : [culprit];
  }

  /** Keeps the only upstream of this thread down, and starts the next thread after the pause that its client states. */
  #refuse(detail: string): void {
    const said = `the sidecar's thread was given up: ${detail}`;
    this.#phase = { phase: "refused", timer: undefined };
    const [pause] = [...this.#clients.values()].map((client) => client.refused(said));
    this.#unposted = [];
    if (pause === undefined) this.stopRestarting();
    else this.#phase = { phase: "refused", timer: setTimeout(() => this.#try(), pause) };
  }

  /** One more crash soon, and the upstream is refused again. */
  #try(): void {
    const now = performance.now();
    this.#crashes = this.#crashes.slice(1).map((crash) => ({ ...crash, at: now }));
    this.#phase = this.#launch();
    for (const client of this.#clients.values()) client.tried();
  }

  #giveUp(detail: string): void {
    this.stopRestarting();
    this.#unposted = [];
    for (const client of this.#clients.values()) client.lost(`the sidecar's thread was given up: ${detail}`);
  }

  /** No reply comes to anything posted to this thread. Requests that never reached it are known to be unsent. */
  #reportCrash(detail: string): void {
    this.#crashed++;
    const unposted = new Set(this.#unposted.flatMap((message) => (isCall(message) ? message.seq : [])));
    this.#unposted = [];
    for (const client of this.#clients.values()) client.crashed(detail, unposted);
  }
}

/** True for what the opening messages of the next thread say: a subscription must not be requested twice. */
function isInOpening({ type }: ToThread): boolean {
  return type === "subscribe" || type === "reconfigure";
}

/** True for a message whose caller waits for `settled`, and is told if the message reached no thread. */
function isCall(message: ToThread): message is CommandOf<"request" | "send" | "reply"> {
  return message.type === "request" || message.type === "send" || message.type === "reply";
}
