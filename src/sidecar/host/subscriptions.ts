/** The host side of an upstream's subscriptions. */

import type { SubscriptionSettings } from "../../config/schema.ts";
import type { SubscriptionState } from "../../core/messages/subscriptions.ts";
import type { ToThread } from "../contract.ts";
import { EpochSequence } from "./journal-epochs.ts";

export interface SubscriptionInfo extends SubscriptionState {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  /** The time at which the current phase began. */
  readonly since: Date;
}

interface SubscriptionRecord {
  readonly settings: SubscriptionSettings;
  readonly epochs: EpochSequence;
  state: SubscriptionState;
  since: Date;
}

type SubscriptionListener = (state: SubscriptionState | undefined) => void;

/** Keeps the subscriptions, so that a new thread gets them all, and the state of each. */
export class UpstreamSubscriptions {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #records = new Map<string, SubscriptionRecord>();
  readonly #listeners = new Map<string, Set<SubscriptionListener>>();

  constructor(
    upstream: string,
    declared: Readonly<Record<string, SubscriptionSettings>>,
    post: (message: ToThread) => void,
  ) {
    this.#upstream = upstream;
    this.#post = post;
    for (const [name, settings] of Object.entries(declared)) this.#record(name, settings);
  }

  get size(): number {
    return this.#records.size;
  }

  list(): readonly SubscriptionInfo[] {
    return [...this.#records.keys()].flatMap((name) => this.get(name) ?? []);
  }

  get(name: string): SubscriptionInfo | undefined {
    const record = this.#records.get(name);
    return record && { name, settings: record.settings, since: record.since, ...record.state };
  }

  /** @param name must be free */
  add(name: string, settings: SubscriptionSettings): void {
    this.#post(this.#subscribe(name, this.#record(name, settings)));
  }

  /** @returns false if there is no subscription of that name */
  remove(name: string): boolean {
    if (!this.#records.delete(name)) return false;
    this.#post({ type: "unsubscribe", upstream: this.#upstream, name });
    for (const listener of this.#listeners.get(name) ?? []) listener(undefined);
    return true;
  }

  /** Calls `listener` on every change, with undefined on removal. @returns a function that stops listening */
  watch(name: string, listener: SubscriptionListener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(name);
    };
  }

  /** True if the subscription has listeners. */
  watched(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** The messages for a new thread. */
  openingMessages(): readonly ToThread[] {
    return [...this.#records].map(([name, record]) => this.#subscribe(name, record));
  }

  /** The thread died: no subscription is active until the next thread reports it. */
  crashed(): void {
    for (const [name, { state }] of this.#records) this.receive(name, { ...state, phase: "waiting" });
  }

  receive(name: string, state: SubscriptionState): void {
    const record = this.#records.get(name);
    if (!record) return;
    if (record.state.phase !== state.phase) record.since = new Date();
    record.state = state;
    for (const listener of this.#listeners.get(name) ?? []) listener(state);
  }

  #record(name: string, settings: SubscriptionSettings): SubscriptionRecord {
    const state = { phase: "waiting", activations: 0 } as const;
    const record: SubscriptionRecord = { settings, epochs: new EpochSequence(), state, since: new Date() };
    this.#records.set(name, record);
    return record;
  }

  #subscribe(name: string, { settings, epochs }: SubscriptionRecord): ToThread {
    return { type: "subscribe", upstream: this.#upstream, name, settings, epochs: epochs.next() };
  }
}
