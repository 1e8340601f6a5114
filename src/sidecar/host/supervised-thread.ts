import { fullJitter } from "../../core/util/backoff.ts";
import { type MessageBatch, Outbox, unpack } from "../batching.ts";
import type { FromThread, ToThread } from "../contract.ts";

/** A thread as the runtime gives it; the same shape as `runtime/runtime.ts`, of which this side needs to know no more. */
export interface RawThread {
  readonly port: {
    on(event: "message", listener: (batch: MessageBatch) => void): unknown;
    postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
    ref(): void;
    unref(): void;
  };
  readonly ended: Promise<{ readonly error: string | undefined }>;
  terminate(): void;
}

/** Who is told what comes from the thread about one upstream. */
export interface Resident {
  /** What every new thread is told first. */
  openingMessages(): readonly ToThread[];
  receive(message: FromThread): void;
  /** The thread died. Whatever was asked of it gets no answer any more; these requests never even reached it. */
  crashed(detail: string, unposted: ReadonlySet<number>): void;
  /** It died too often and is not started again. */
  lost(detail: string): void;
}

/** How long the thread may take to report that a bound of its own has passed, in milliseconds. */
export const THREAD_GRACE_MS = 50;

/** Five deaths within half a minute are no accident: starting it again would only heat the machine. */
const CRASHES_MAX = 5;
const CRASHES_WITHIN_MS = 30_000;
const RESTART_FROM_MS = 100;
const RESTART_TO_MS = 5_000;

/**
 * The pulse: the thread is asked for a sign of life so often, and given up after so many that nothing answered. Counted
 * in beats and not in time, so that a host that was itself suspended or blocked does not blame the thread.
 */
const BEAT_MS = 1_000;
const MISSED_MAX = 5;
/** Loading its modules takes the thread longer, on a machine with much to do. */
const MISSED_MAX_AT_START = 30;
/** A thread that terminating does not end within this is stuck in native code: nothing in the process can end it. */
const UNENDING_MS = 2_000;

type Running = {
  readonly phase: "running";
  readonly thread: RawThread;
  /** There from the thread's `ready` on. */
  outbox: Outbox<ToThread> | undefined;
  missed: number;
};

type ThreadPhase =
  | Running
  /** It died, or hung and is being terminated: nobody expects anything of it any more, and what is posted waits for the next. */
  | { readonly phase: "ending"; readonly thread: RawThread }
  | { readonly phase: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly phase: "ended" };

/** One supervised thread: started, started again when it dies or hangs, ended and joined. Upstreams reside on it by name. */
export class SidecarThread {
  readonly #start: () => RawThread;
  readonly #residents = new Map<string, Resident>();
  readonly #pulse: NodeJS.Timeout;
  /** What was posted while no thread listened. */
  #early: ToThread[] = [];
  #life: ThreadPhase;
  #crashes: number[] = [];
  #leaving = false;

  constructor(start: () => RawThread) {
    this.#start = start;
    this.#life = this.#launch();
    this.#pulse = setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Puts an upstream on this thread. Must be called before the thread can be ready: in the turn that made it. */
  add(name: string, resident: Resident): void {
    this.#residents.set(name, resident);
  }

  /** False when nothing that is posted will be answered any more. */
  get alive(): boolean {
    return this.#life.phase === "running" || (!this.#leaving && this.#life.phase !== "ended");
  }

  /** `alone`: nothing else is on its way to it. */
  post(message: ToThread, alone = false): void {
    if (this.#life.phase === "running" && this.#life.outbox) this.#life.outbox.push(message, alone);
    else if (this.alive && !this.#takesBack(message)) this.#early.push(message);
  }

  /**
   * Takes back what no thread was told of yet of an upstream's requests: the one with this number, or all.
   * @returns the numbers of those that were: nothing of them was sent, nor will be
   */
  withdraw(upstream: string, seq?: number): readonly number[] {
    const withdrawn: number[] = [];
    this.#early = this.#early.filter((message) => {
      const isMeant =
        message.type === "request" && message.upstream === upstream && (seq ?? message.seq) === message.seq;
      if (isMeant) withdrawn.push(message.seq);
      return !isMeant;
    });
    return withdrawn;
  }

  /** Of a request that no thread was told of none need be told that its caller has left, either. */
  #takesBack(message: ToThread): boolean {
    return message.type === "abandon" && this.withdraw(message.upstream, message.seq).length > 0;
  }

  /** From here on a thread that ends is not started again. */
  leave(): void {
    this.#leaving = true;
    clearInterval(this.#pulse);
    if (this.#life.phase !== "waiting") return;
    clearTimeout(this.#life.timer);
    this.#life = { phase: "ended" };
  }

  /** Asks the thread to end itself. Resolves when it really has. */
  async end(): Promise<void> {
    this.leave();
    this.post({ type: "end", upstream: "*" });
    if ("thread" in this.#life) await this.#life.thread.ended;
  }

  /** Ends the thread from outside, whatever it does. Resolves when it really has ended. */
  async terminate(): Promise<void> {
    this.leave();
    if (!("thread" in this.#life)) return;
    const { thread } = this.#life;
    thread.terminate();
    await thread.ended;
  }

  #launch(): ThreadPhase {
    const thread = this.#start();
    const life: Running = { phase: "running", thread, outbox: undefined, missed: 0 };
    thread.port.on("message", (batch) => {
      life.missed = 0;
      if (this.#life !== life) return;
      unpack<FromThread>(batch, (message) => {
        if (message.type === "ready") this.#settleIn(life);
        else this.#residents.get(message.upstream)?.receive(message);
      });
    });
    thread.ended.then(({ error }) => this.#ended(life, error));
    return life;
  }

  #settleIn(life: Running): void {
    life.outbox = new Outbox<ToThread>(life.thread.port, () => performance.now());
    const first = [...this.#residents.values()].flatMap((resident) => resident.openingMessages());
    for (const message of [...first, ...this.#early.splice(0)]) life.outbox.push(message);
    life.outbox.flush();
  }

  #beat(): void {
    if (this.#life.phase !== "running") return;
    const { thread, outbox, missed } = this.#life;
    if (missed < (outbox ? MISSED_MAX : MISSED_MAX_AT_START)) {
      this.#life.missed++;
      outbox?.push({ type: "beat", upstream: "*" });
      return;
    }
    const detail = `it did not answer for ${(missed * BEAT_MS) / 1_000} s`;
    this.#life = { phase: "ending", thread };
    this.#tellCrashed(detail);
    const timer = setTimeout(() => this.#giveUp(`${detail}, and cannot be ended`), UNENDING_MS);
    thread.ended.then(() => clearTimeout(timer));
    thread.terminate();
  }

  #ended(life: Running, error: string | undefined): void {
    const hung = this.#life !== life;
    const detail = error ?? "it ended by itself";
    // Before anybody is told: whoever asks again at once must not ask the dead one.
    this.#life = { phase: "ending", thread: life.thread };
    // Whoever waited for a hung thread was told so when it was found out.
    if (!hung && (!this.#leaving || error !== undefined)) this.#tellCrashed(detail);
    this.#life = { phase: "ended" };
    if (this.#leaving) return;
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASHES_WITHIN_MS), now];
    if (this.#crashes.length >= CRASHES_MAX) {
      this.#giveUp(`it died ${CRASHES_MAX} times within ${CRASHES_WITHIN_MS / 1_000} s; the last time: ${detail}`);
      return;
    }
    const delay = fullJitter(this.#crashes.length - 1, RESTART_FROM_MS, RESTART_TO_MS, Math.random());
    const timer = setTimeout(() => {
      this.#life = this.#launch();
    }, delay);
    this.#life = { phase: "waiting", timer };
  }

  #giveUp(detail: string): void {
    this.leave();
    this.#early = [];
    for (const resident of this.#residents.values()) resident.lost(`the sidecar's thread is given up: ${detail}`);
  }

  /** Whatever was asked of this thread gets no answer. What it was never told can be said to be unsent. */
  #tellCrashed(detail: string): void {
    const unposted = new Set(this.#early.flatMap((message) => (message.type === "request" ? message.seq : [])));
    this.#early = [];
    for (const resident of this.#residents.values()) resident.crashed(detail, unposted);
  }
}
