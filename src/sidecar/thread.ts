import type { UpstreamSettings } from "../config/schema.ts";
import { fullJitter } from "../core/backoff.ts";
import type { Batch, FromThread, ToThread } from "./messages.ts";
import { Outbox } from "./outbox.ts";

/** A thread as the runtime gives it; the same shape as `runtime/runtime.ts`, of which this side needs to know no more. */
export interface RawThread {
  readonly port: {
    on(event: "message", listener: (batch: Batch<FromThread>) => void): unknown;
    postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
    ref(): void;
    unref(): void;
  };
  readonly ended: Promise<{ readonly error: string | undefined }>;
  terminate(): void;
}

/** Who is told what comes from the thread about one upstream. */
export interface Resident {
  readonly settings: UpstreamSettings;
  receive(message: FromThread): void;
  /** The thread died. Whatever was asked of it gets no answer any more; these requests never even reached it. */
  crashed(detail: string, unposted: ReadonlySet<number>): void;
  /** It died too often and is not started again. */
  lost(detail: string): void;
}

/** Five deaths within half a minute are no accident: starting it again would only heat the machine. */
const CRASHES_MAX = 5;
const CRASHES_WITHIN_MS = 30_000;
const RESTART_FROM_MS = 100;
const RESTART_TO_MS = 5_000;

type Life =
  /** `outbox` is there from the thread's `ready` on. */
  | {
      readonly phase: "running";
      readonly thread: RawThread;
      outbox: Outbox<ToThread> | undefined;
    }
  | { readonly phase: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly phase: "ended" };

/** One supervised thread: started, started again when it dies, ended and joined. Upstreams reside on it by name. */
export class SidecarThread {
  readonly #start: () => RawThread;
  readonly #residents = new Map<string, Resident>();
  /** Requests that came while no thread listened. */
  #early: ToThread[] = [];
  #life: Life;
  #crashes: number[] = [];
  #leaving = false;

  constructor(start: () => RawThread) {
    this.#start = start;
    this.#life = this.#launch();
  }

  /** Puts an upstream on this thread. Must be called before the thread can be ready: in the turn that made it. */
  add(name: string, resident: Resident): void {
    this.#residents.set(name, resident);
  }

  /** False when no thread runs, and none will: nothing that is posted is answered. */
  get alive(): boolean {
    return this.#life.phase !== "ended";
  }

  post(message: ToThread): void {
    if (this.#life.phase === "ended") return;
    if (this.#life.phase === "running" && this.#life.outbox) this.#life.outbox.push(message);
    else this.#early.push(message);
  }

  /** From here on a thread that ends is not started again. */
  leave(): void {
    this.#leaving = true;
    if (this.#life.phase !== "waiting") return;
    clearTimeout(this.#life.timer);
    this.#life = { phase: "ended" };
  }

  /** Asks the thread to end itself. Resolves when it really has. */
  async end(): Promise<void> {
    this.leave();
    if (this.#life.phase !== "running") return;
    this.post({ type: "end", upstream: "*" });
    await this.#life.thread.ended;
  }

  /** Ends the thread from outside, whatever it does. Resolves when it really has ended. */
  async terminate(): Promise<void> {
    this.leave();
    if (this.#life.phase !== "running") return;
    const { thread } = this.#life;
    thread.terminate();
    await thread.ended;
  }

  #launch(): Life {
    const thread = this.#start();
    const life: Extract<Life, { phase: "running" }> = {
      phase: "running",
      thread,
      outbox: undefined,
    };
    thread.port.on("message", ({ messages }) => {
      for (const message of messages) {
        if (message.type === "ready") this.#settleIn(life);
        else this.#residents.get(message.upstream)?.receive(message);
      }
    });
    thread.ended.then(({ error }) => this.#ended(error));
    return life;
  }

  #settleIn(life: Extract<Life, { phase: "running" }>): void {
    life.outbox = new Outbox<ToThread>(life.thread.port, () => performance.now());
    for (const [upstream, { settings }] of this.#residents) life.outbox.push({ type: "open", upstream, settings });
    for (const message of this.#early.splice(0)) life.outbox.push(message);
    life.outbox.flush();
  }

  #ended(error: string | undefined): void {
    if (this.#leaving) {
      this.#life = { phase: "ended" };
      if (error !== undefined) this.#tellCrashed(error);
      return;
    }
    const detail = error ?? "it ended by itself";
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASHES_WITHIN_MS), now];
    const hopeless = this.#crashes.length >= CRASHES_MAX;
    const delay = fullJitter(this.#crashes.length - 1, RESTART_FROM_MS, RESTART_TO_MS, Math.random());
    this.#life = hopeless
      ? { phase: "ended" }
      : {
          phase: "waiting",
          timer: setTimeout(() => {
            this.#life = this.#launch();
          }, delay),
        };
    this.#tellCrashed(detail);
    if (!hopeless) return;
    const why = `the sidecar's thread died ${CRASHES_MAX} times within ${CRASHES_WITHIN_MS / 1_000} s: ${detail}`;
    for (const resident of this.#residents.values()) resident.lost(why);
  }

  #tellCrashed(detail: string): void {
    const unposted = new Set(this.#early.flatMap((message) => (message.type === "request" ? message.seq : [])));
    this.#early = [];
    for (const resident of this.#residents.values()) resident.crashed(detail, unposted);
  }
}
