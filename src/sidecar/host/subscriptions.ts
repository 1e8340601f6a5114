/** The host side of an upstream's subscriptions. */

import { isDeepStrictEqual } from "node:util";
import type { SubscriptionSettings } from "../../config/schema.ts";
import type { SubscriptionPhase, SubscriptionState } from "../../core/messages/subscriptions.ts";
import { type Deferred, deferred } from "../../core/util/deferred.ts";
import type { Failure } from "../../errors.ts";
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
  /** Why it must not be requested by the next thread: a former one may have sent its request. */
  lost: Failure | undefined;
}

type Declared = Readonly<Record<string, SubscriptionSettings>>;

type SubscriptionListener = (state: SubscriptionState | undefined) => void;

/** Keeps the subscriptions, so that a new thread gets them all, and the state of each. */
export class UpstreamSubscriptions {
  readonly #upstream: string;
  #declared: ReadonlySet<string>;
  readonly #post: (message: ToThread) => void;
  readonly #records = new Map<string, SubscriptionRecord>();
  readonly #listeners = new Map<string, Set<SubscriptionListener>>();
  /** Removals that the thread has not reported yet, by number. */
  readonly #removals = new Map<number, Deferred<Failure | undefined>>();
  #removal = 0;
  /** Resolved once no caller waits for a subscription in these phases; undefined while nobody wants to know. */
  #settling: { readonly phases: readonly SubscriptionPhase[]; readonly done: Deferred<void> } | undefined;

  constructor(upstream: string, declared: Declared, post: (message: ToThread) => void) {
    this.#upstream = upstream;
    this.#post = post;
    this.#declared = new Set(Object.keys(declared));
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

  /** True for a subscription of the configuration, which no caller may remove. */
  isDeclared(name: string): boolean {
    return this.#declared.has(name);
  }

  /** Follows other declarations: ends those that are gone or changed, and one of a caller whose name is taken now. */
  redeclare(before: Declared, after: Declared): void {
    this.#declared = new Set(Object.keys(after));
    const isSame = (name: string) => isDeepStrictEqual(before[name], after[name]);
    for (const name of Object.keys({ ...before, ...after })) if (!isSame(name)) void this.remove(name);
    for (const [name, settings] of Object.entries(after)) if (!isSame(name)) this.add(name, settings);
  }

  /** @param name must be free */
  add(name: string, settings: SubscriptionSettings): void {
    this.#post(this.#subscribe(name, this.#record(name, settings)));
  }

  /** Forgets a subscription, which its caller removes on the thread itself. */
  forget(name: string): void {
    if (!this.#records.delete(name)) return;
    for (const listener of this.#listeners.get(name) ?? []) listener(undefined);
  }

  /**
   * Removes a subscription at once, whether or not the upstream agrees. Resolves with the failure if it does not; the
   * caller bounds the wait.
   */
  remove(name: string): Promise<Failure | undefined> {
    if (!this.#records.delete(name)) return Promise.resolve(undefined);
    const seq = ++this.#removal;
    const removal = deferred<Failure | undefined>();
    this.#removals.set(seq, removal);
    this.#post({ type: "unsubscribe", upstream: this.#upstream, name, seq });
    for (const listener of this.#listeners.get(name) ?? []) listener(undefined);
    return removal.promise;
  }

  /** The thread has reported the end of a removal. */
  removed(seq: number, failure: Failure | undefined): void {
    this.#removals.get(seq)?.resolve(failure);
    this.#removals.delete(seq);
  }

  /** Calls `listener` on every change, with undefined on removal. @returns a function that stops listening */
  watch(name: string, listener: SubscriptionListener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(name);
      this.#reportSettled();
    };
  }

  /**
   * Resolves once no caller waits for an upstream that was asked to agree.
   * @param isReady true if the connection is: then a request goes out before we hear of it
   */
  settled(isReady: boolean): Promise<void> {
    this.#settling ??= { phases: isReady ? ["waiting", "asking"] : ["asking"], done: deferred() };
    this.#reportSettled();
    return this.#settling.done.promise;
  }

  /** True while somebody waits for a subscription. */
  get isAwaited(): boolean {
    return this.#listeners.size > 0;
  }

  /** True if the subscription has listeners. */
  watched(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** The messages for a new thread. */
  openingMessages(): readonly ToThread[] {
    return [...this.#records].map(([name, record]) => this.#subscribe(name, record));
  }

  /**
   * The thread died, and with it every subscription: none is active until the next thread reports it. The thread may
   * have sent any request before it died, so those that must not be repeated have failed.
   */
  crashed(failure: Failure): void {
    for (const seq of [...this.#removals.keys()]) this.removed(seq, undefined);
    for (const [name, record] of this.#records) {
      const { settings, state } = record;
      if (settings.renew === false) record.lost ??= lostWith(state, failure);
      const { lost } = record;
      this.receive(name, lost ? { ...state, phase: "failed", lastFailure: lost } : { ...state, phase: "waiting" });
    }
  }

  receive(name: string, state: SubscriptionState): void {
    const record = this.#records.get(name);
    if (!record) return;
    if (record.state.phase !== state.phase) record.since = new Date();
    record.state = state;
    for (const listener of this.#listeners.get(name) ?? []) listener(state);
    this.#reportSettled();
  }

  #reportSettled(): void {
    if (!this.#settling) return;
    const { phases, done } = this.#settling;
    const names = [...this.#listeners.keys()];
    if (!names.some((name) => phases.some((phase) => phase === this.#records.get(name)?.state.phase))) done.resolve();
  }

  #record(name: string, settings: SubscriptionSettings): SubscriptionRecord {
    const state = { phase: "waiting", activations: 0 } as const;
    const record: SubscriptionRecord = {
      settings,
      epochs: new EpochSequence(),
      state,
      since: new Date(),
      lost: undefined,
    };
    this.#records.set(name, record);
    return record;
  }

  #subscribe(name: string, { settings, epochs, lost }: SubscriptionRecord): ToThread {
    return { type: "subscribe", upstream: this.#upstream, name, settings, epochs: epochs.next(), lost };
  }
}

/** The failure of a subscription that is not requested again; one that was final already keeps its own. */
function lostWith({ phase, lastFailure }: SubscriptionState, failure: Failure): Failure {
  if (phase === "failed" && lastFailure !== undefined && lastFailure.sent !== "no") return lastFailure;
  return { ...failure, detail: `${failure.detail}; it is not requested again (renew: false)` };
}
