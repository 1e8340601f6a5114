import type { SubscriptionSettings } from "../../config/schema.ts";
import type { SubscriptionState } from "../../core/messages/subscriptions.ts";
import type { JournalLife, ToThread } from "../contract.ts";

/** The host side of the standing subscriptions: which there are, so that a new thread gets them all, and how they are. */

export interface SubscriptionInfo extends SubscriptionState {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  /** Since when it is in its phase. */
  readonly since: Date;
}

interface SubscriptionRecord {
  readonly settings: SubscriptionSettings;
  state: SubscriptionState;
  since: Date;
  lives: JournalLives;
}

type SubscriptionListener = (state: SubscriptionState | undefined) => void;

export class UpstreamSubscriptions {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #all = new Map<string, SubscriptionRecord>();
  readonly #listeners = new Map<string, Set<SubscriptionListener>>();

  constructor(
    upstream: string,
    declared: Readonly<Record<string, SubscriptionSettings>>,
    post: (message: ToThread) => void,
  ) {
    this.#upstream = upstream;
    this.#post = post;
    for (const [name, settings] of Object.entries(declared)) this.#keep(name, settings);
  }

  get size(): number {
    return this.#all.size;
  }

  list(): readonly SubscriptionInfo[] {
    return [...this.#all.keys()].flatMap((name) => this.get(name) ?? []);
  }

  get(name: string): SubscriptionInfo | undefined {
    const kept = this.#all.get(name);
    return kept && { name, settings: kept.settings, since: kept.since, ...kept.state };
  }

  /** @param name must be free */
  add(name: string, settings: SubscriptionSettings): void {
    this.#post(this.#subscribe(name, this.#keep(name, settings)));
  }

  /** @returns false when there is none of that name */
  remove(name: string): boolean {
    if (!this.#all.delete(name)) return false;
    this.#post({ type: "unsubscribe", upstream: this.#upstream, name });
    for (const listener of this.#listeners.get(name) ?? []) listener(undefined);
    return true;
  }

  /** Tells of every change; of undefined when it was taken back. @returns how to stop listening */
  watch(name: string, listener: SubscriptionListener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(name);
    };
  }

  /** Whether anybody is told of its changes. */
  watched(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** What a new thread must be told. */
  openingMessages(): readonly ToThread[] {
    return [...this.#all].map(([name, kept]) => this.#subscribe(name, kept));
  }

  /** Their thread died: none is active until the next one says so. */
  crashed(): void {
    for (const [name, { state }] of this.#all) this.receive(name, { ...state, phase: "waiting" });
  }

  receive(name: string, state: SubscriptionState): void {
    const kept = this.#all.get(name);
    if (!kept) return;
    if (kept.state.phase !== state.phase) kept.since = new Date();
    kept.state = state;
    for (const listener of this.#listeners.get(name) ?? []) listener(state);
  }

  #keep(name: string, settings: SubscriptionSettings): SubscriptionRecord {
    const state = { phase: "waiting", activations: 0 } as const;
    const kept: SubscriptionRecord = { settings, state, since: new Date(), lives: new JournalLives() };
    this.#all.set(name, kept);
    return kept;
  }

  #subscribe(name: string, { settings, lives }: SubscriptionRecord): ToThread {
    return { type: "subscribe", upstream: this.#upstream, name, settings, life: lives.next() };
  }
}

/** So many threads' deaths are remembered in cursors; of those before one is told that they have expired. */
const FORMER_MAX = 16;

/** The lives of one journal: a new one with each thread that keeps it. */
export class JournalLives {
  #epochs: readonly string[] = [];

  next(): JournalLife {
    const former = this.#epochs.slice(-FORMER_MAX);
    const epoch = newEpoch();
    this.#epochs = [...former, epoch];
    return { epoch, former };
  }
}

/** Never the same twice, in this process or another: the time, and chance for those that begin together. */
function newEpoch(): string {
  return Date.now().toString(36) + Math.random().toString(36).slice(2, 7).padEnd(5, "0");
}
