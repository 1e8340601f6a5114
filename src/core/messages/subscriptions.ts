/** Subscriptions of one upstream, which are requested on every connection until they are removed. */

import type { SubscriptionSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type FrameText, frameText } from "../../protocols/condition.ts";
import { checkedJson } from "../../protocols/json-message.ts";
import type { Protocol } from "../../protocols/protocol.ts";
import { messageText } from "../../protocols/subscription-request.ts";
import { ValueMissing } from "../connection/captured-texts.ts";
import { notReady } from "../exchange/failures.ts";
import type { Outcome } from "../outcome.ts";
import { fullJitter } from "../util/backoff.ts";
import {
  type Agreement,
  type Asking,
  agreementIn,
  consider,
  decided,
  newAsking,
  overdue,
  reasonOf,
  unreadable,
} from "./agreement.ts";
import { EarlyMessages } from "./early-messages.ts";
import { NO_ID, needsIdToEnd, type Recipe, recipeOf, withOurName } from "./subscription-recipe.ts";
import { type SecretHandling, shown, Unsubscriptions } from "./unsubscriptions.ts";

/**
 * - `waiting`: there is no connection.
 * - `asking`: the request is in flight, or not all confirmations have come.
 * - `active`: the upstream agreed.
 * - `failed`: the upstream refused, did not reply, or ended it; the request is repeated after a delay. If it must not
 *   be repeated (`renew: false`), the phase is final.
 */
export type SubscriptionPhase = Stage["phase"];

export interface SubscriptionState {
  readonly phase: SubscriptionPhase;
  /** The number of times that the upstream has agreed. */
  readonly activations: number;
  /** The most recent failure; undefined if it has never failed. */
  readonly lastFailure?: Failure | undefined;
}

export type SubscriptionEffect =
  /** Send the message, wait for its reply, and report the outcome to `settled` under this number. */
  | { readonly type: "request"; readonly number: number; readonly message: string }
  /** Send the message without waiting for a reply, and report the outcome to `settled` under this number. */
  | { readonly type: "send"; readonly number: number; readonly message: string }
  /** The request of that number needs a value that is not known: report the failure to `settled`. */
  | { readonly type: "unready"; readonly number: number; readonly failure: Failure }
  | { readonly type: "state"; readonly name: string; readonly state: SubscriptionState }
  | { readonly type: "message"; readonly name: string; readonly text: string; readonly kind: "json" | "text" }
  /** An unknown number of messages that came before the confirmation could not be kept. */
  | { readonly type: "missed"; readonly name: string }
  /** The removal of that number is over. Without a failure the upstream agreed, or there was nothing to end. */
  | { readonly type: "removed"; readonly removal: number; readonly failure: Failure | undefined };

type Stage =
  | { readonly phase: "waiting" }
  | Asking
  | Active
  /** `final`: what may have been sent must not be sent again. */
  | { readonly phase: "failed"; readonly final: boolean };

interface Active {
  readonly phase: "active";
  /** The upstream's id, as JSON. */
  readonly id: string;
  readonly since: number;
  /** The time of its last message; at first, of the agreement. */
  heardAt: number;
}

interface Subscription {
  readonly name: string;
  readonly recipe: Recipe;
  stage: Stage;
  activations: number;
  lastFailure: Failure | undefined;
  failures: number;
  /** When `asking` is given up, `failed` is asked again, or the silence of `active` must be examined. */
  dueAt: number | undefined;
  /** Set if it was removed while asking: an agreement must be undone. */
  removal: number | undefined;
}

/** How long the upstream may take to agree, in milliseconds: from the request to its reply, and to the last frame. */
export const AGREE_WITHIN_MS = 10_000;
/** The shortest pause after a refusal, in milliseconds; `reconnect.refused` may be shorter. */
const REFUSED_PAUSE_MS = 1_000;
/** The number of timed-out requests, newest first, that are remembered for a late reply. */
const TIMED_OUT_MAX = 1_000;

interface Context {
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  /** `stable`: how long a subscription must last, and carry messages, for its failures to be forgotten. */
  readonly retry: { readonly from: number; readonly to: number; readonly stable: number };
}

/**
 * The upstream's own id of a subscription changes with every connection and is hidden behind our name. Pure: inputs are
 * method calls, which return effects in order.
 */
export class Subscriptions {
  readonly #byName = new Map<string, Subscription>();
  /** Removed ones whose request may still be agreed to. */
  readonly #leaving = new Set<Subscription>();
  /** Requests in flight, by our number. */
  readonly #inFlight = new Map<number, Subscription>();
  /** Requests that timed out and may still get a late reply, by our number. */
  readonly #timedOut = new Map<number, Subscription>();
  readonly #unsubscriptions: Unsubscriptions;
  /** Messages since the first of the requests that are in flight; undefined if none is. */
  #early: EarlyMessages | undefined;
  #connected = false;
  #number = 0;
  #next: number | undefined;
  #isNextKnown = true;
  #effects: SubscriptionEffect[] = [];
  readonly #secrets: SecretHandling;
  readonly #refuses: Protocol["refuses"];

  /** @param refuses recognizes replies that refuse in the protocol's own form */
  constructor(
    secrets: SecretHandling = { fill: (message) => message, show: (frame) => frame.slice(0, 200) },
    refuses?: Protocol["refuses"],
  ) {
    this.#secrets = secrets;
    this.#refuses = refuses;
    this.#unsubscriptions = new Unsubscriptions(secrets, {
      request: (message) => this.#send("request", message),
      send: (message) => this.#send("send", message),
      removed: (removal, failure) => this.#effects.push({ type: "removed", removal, failure }),
      isShared: (message) => this.#isShared(message),
    });
  }

  /** True if there is none, and none to end: no message can concern any. */
  get isIdle(): boolean {
    return this.#byName.size === 0 && this.#leaving.size === 0 && this.#unsubscriptions.isIdle;
  }

  /** The time at which `expire` must be called; undefined if nothing is due. Looked up after every frame, so cached. */
  get nextDeadline(): number | undefined {
    if (this.#isNextKnown) return this.#next;
    this.#isNextKnown = true;
    const times = [...this.#all()].flatMap(({ dueAt }) => dueAt ?? []);
    this.#next = [...times, ...this.#unsubscriptions.attempts].reduce<number | undefined>(earlier, undefined);
    return this.#next;
  }

  /** @param lost why a subscription that must not be requested again was lost with a former thread */
  add(name: string, settings: SubscriptionSettings, lost?: Failure): readonly SubscriptionEffect[] {
    const subscription: Subscription = {
      name,
      recipe: recipeOf(settings, this.#refuses),
      stage: { phase: "waiting" },
      activations: 0,
      lastFailure: lost,
      failures: 0,
      dueAt: undefined,
      removal: undefined,
    };
    this.#byName.set(name, subscription);
    if (lost) this.#enter(subscription, { phase: "failed", final: true });
    else if (this.#connected) this.#request(subscription);
    else this.#enter(subscription, { phase: "waiting" });
    return this.#take();
  }

  /** An effect `removed` with this number follows, now or later. */
  remove(name: string, removal: number): readonly SubscriptionEffect[] {
    const subscription = this.#byName.get(name);
    this.#byName.delete(name);
    this.#isNextKnown = false;
    switch (subscription?.stage.phase) {
      case "active":
        this.#unsubscriptions.begin({ recipe: subscription.recipe, id: subscription.stage.id, removal });
        break;
      case "asking":
        subscription.removal = removal;
        this.#leaving.add(subscription);
        break;
      default:
        this.#unsubscriptions.report(removal);
    }
    return this.#take();
  }

  /** A connection is ready: request every subscription, unless that could do twice what it does. */
  connected(): readonly SubscriptionEffect[] {
    this.#connected = true;
    for (const subscription of this.#byName.values()) if (!isFinal(subscription)) this.#request(subscription);
    return this.#take();
  }

  /**
   * The connection ended, and with it every subscription at the upstream.
   * @param withdrawn the numbers of the requests that were not sent and will not be
   */
  lost(why: string, withdrawn: readonly number[]): readonly SubscriptionEffect[] {
    this.#connected = false;
    for (const { removal } of this.#leaving) this.#unsubscriptions.report(removal);
    this.#unsubscriptions.lost();
    this.#leaving.clear();
    this.#inFlight.clear();
    this.#timedOut.clear();
    this.#early = undefined;
    for (const subscription of this.#byName.values()) {
      const { recipe, stage } = subscription;
      subscription.failures = 0;
      const isSent = stage.phase === "active" || (stage.phase === "asking" && !withdrawn.includes(stage.number));
      if (!recipe.renews && isSent) {
        const sent = stage.phase === "active" ? "yes" : "maybe";
        this.#giveUp(subscription, { code: "connection_lost", sent, detail: `the connection was lost: ${why}` });
      } else if (stage.phase !== "waiting" && !isFinal(subscription)) this.#enter(subscription, { phase: "waiting" });
    }
    return this.#take();
  }

  /** The message of that number has its outcome. */
  settled(number: number, outcome: Outcome, context: Context): readonly SubscriptionEffect[] {
    const subscription = this.#inFlight.get(number);
    this.#inFlight.delete(number);
    if (subscription) this.#onOutcome(subscription, number, outcome, context);
    else if (this.#unsubscriptions.settled(number, outcome, context.now, context.retry.from)) this.#isNextKnown = false;
    return this.#take();
  }

  /**
   * A request that timed out has its late outcome. It counts as failed already: undo an agreement, unless the request
   * is not repeated.
   */
  late(number: number, outcome: Outcome, context: Context): readonly SubscriptionEffect[] {
    const subscription = this.#timedOut.get(number);
    this.#timedOut.delete(number);
    if (!subscription || outcome.type !== "reply") return this.#take();
    const asking = newAsking(number);
    const { recipe } = subscription;
    this.#consider(recipe, asking, frameText(outcome.body), true);
    const agreement = decided(recipe, asking) ? agreementIn(recipe, asking) : undefined;
    if (!agreement || "code" in agreement) return this.#take();
    const isOurs = this.#byName.get(subscription.name) === subscription;
    if (isOurs && isFinal(subscription)) this.#activate(subscription, agreement, true, context);
    else this.#unsubscriptions.begin({ recipe, id: agreement.id, removal: undefined });
    return this.#take();
  }

  /** The time of `nextDeadline` has come: repeat what is due, and examine what is silent. */
  expire(context: Context): readonly SubscriptionEffect[] {
    const { now } = context;
    for (const subscription of [...this.#all()])
      if (subscription.dueAt !== undefined && subscription.dueAt <= now) this.#onDue(subscription, context);
    this.#unsubscriptions.expire(now);
    this.#isNextKnown = false;
    return this.#take();
  }

  /**
   * Returns undefined if the message concerns no subscription; otherwise the effects, of which there may be none.
   * @param isJson true if the text was checked
   */
  message(text: string, context: Context, isJson = true): readonly SubscriptionEffect[] | undefined {
    const frame = isJson ? checkedJson(text) : { text };
    let isClaimed = false;
    for (const subscription of this.#byName.values()) if (this.#deliver(subscription, frame, context)) isClaimed = true;
    this.#early?.add(frame, isClaimed);
    // Only an agreement starts a subscription's messages, so this one is delivered with the early ones.
    if (this.#early) {
      for (const subscription of [...this.#all()]) if (this.#confirm(subscription, frame, context)) isClaimed = true;
    }
    if (this.#unsubscriptions.confirm(frame)) isClaimed = true;
    return isClaimed ? this.#take() : undefined;
  }

  *#all(): Iterable<Subscription> {
    yield* this.#byName.values();
    yield* this.#leaving;
  }

  #request(subscription: Subscription): void {
    const number = ++this.#number;
    this.#early ??= new EarlyMessages();
    this.#inFlight.set(number, subscription);
    this.#enter(subscription, newAsking(number));
    try {
      this.#send("request", messageText(this.#secrets.fill(subscription.recipe.request)), number);
    } catch (error) {
      if (!(error instanceof ValueMissing)) throw error;
      this.#effects.push({ type: "unready", number, failure: notReady(error) });
    }
  }

  #onOutcome(subscription: Subscription, number: number, outcome: Outcome, context: Context): void {
    const { stage } = subscription;
    if (stage.phase !== "asking") return;
    if (outcome.type === "failed") {
      const { failure } = outcome;
      const isOpen = failure.code === "reply_timeout" && failure.sent !== "no";
      if (isOpen) this.#remember(number, subscription);
      this.#settle(subscription, isOpen ? overdue(stage, failure) : failure, context);
      return;
    }
    const { recipe } = subscription;
    if (outcome.type !== "reply") {
      this.#settle(subscription, unreadable(recipe, "the request has no single reply"), context);
      return;
    }
    const frame = frameText(outcome.body);
    const isTaken = this.#consider(recipe, stage, frame, true);
    if (!isTaken && frame.root === undefined && recipe.agreed === undefined) {
      const why = `the reply is not JSON, so it needs a condition (agreed): ${reasonOf(outcome.body)}`;
      this.#settle(subscription, unreadable(recipe, why), context);
      return;
    }
    subscription.dueAt = context.now + AGREE_WITHIN_MS;
    this.#isNextKnown = false;
    this.#decide(subscription, stage, context);
  }

  /** Takes a message that may confirm or refuse the request. @returns true if it does */
  #confirm(subscription: Subscription, frame: FrameText, context: Context): boolean {
    const { recipe, stage } = subscription;
    if (stage.phase !== "asking" || !this.#consider(recipe, stage, frame, false)) return false;
    this.#decide(subscription, stage, context);
    return true;
  }

  #decide(subscription: Subscription, asking: Asking, context: Context): void {
    const { recipe } = subscription;
    if (decided(recipe, asking)) this.#settle(subscription, agreementIn(recipe, asking), context);
  }

  /** Ends the request. */
  #settle(subscription: Subscription, result: Agreement | Failure, context: Context): void {
    const { recipe, stage, removal } = subscription;
    if (stage.phase === "asking") this.#inFlight.delete(stage.number);
    if (this.#leaving.delete(subscription)) {
      this.#isNextKnown = false;
      if (!("code" in result)) this.#unsubscriptions.begin({ recipe, id: result.id, removal });
      else
        this.#unsubscriptions.report(
          removal,
          result.code === "reply_timeout" && result.sent !== "no" ? result : undefined,
        );
    } else if ("code" in result) {
      this.#fail(subscription, result, context);
      if (stage.phase === "asking") this.#undoUnclear(recipe, stage, result);
    } else {
      this.#activate(subscription, result, false, context);
    }
    if (![...this.#all()].some((each) => each.stage.phase === "asking")) this.#early = undefined;
  }

  #activate(subscription: Subscription, { id, partly }: Agreement, isLate: boolean, context: Context): void {
    const isShared = [...this.#byName.values()].some(({ stage }) => stage.phase === "active" && stage.id === id);
    const early = isLate ? undefined : this.#early;
    const isMissing = isLate || early?.misses(isShared);
    const { now } = context;
    subscription.activations++;
    if (partly) subscription.lastFailure = partly;
    const { silenceMs } = subscription.recipe;
    const dueAt = silenceMs === undefined ? undefined : now + silenceMs;
    this.#enter(subscription, { phase: "active", id, since: now, heardAt: now }, dueAt);
    for (const frame of early?.list ?? []) this.#deliver(subscription, frame, context);
    if (isMissing) this.#effects.push({ type: "missed", name: subscription.name });
  }

  /** @returns false if the message is not one of the subscription's */
  #deliver(subscription: Subscription, frame: FrameText, context: Context): boolean {
    const { name, recipe, stage } = subscription;
    if (stage.phase !== "active") return false;
    const isEnd = recipe.ended?.(frame, stage.id) === true;
    if (!isEnd && !recipe.owns(frame, stage.id)) return false;
    const kind = frame.root ? "json" : "text";
    const text = withOurName(frame, recipe, stage.id, name);
    this.#effects.push({ type: "message", name, text, kind });
    if (isEnd) {
      const detail = `the upstream ended the subscription: ${shown(frame, recipe, this.#secrets)}`;
      this.#end(subscription, stage, { code: "connection_lost", sent: "yes", detail }, context);
    } else {
      stage.heardAt = context.now;
    }
    return true;
  }

  #onDue(subscription: Subscription, context: Context): void {
    const { recipe, stage } = subscription;
    switch (stage.phase) {
      case "failed":
        this.#request(subscription);
        break;
      case "asking": {
        const detail = `not all confirmations came within ${AGREE_WITHIN_MS} ms`;
        this.#settle(subscription, overdue(stage, { code: "reply_timeout", sent: "yes", detail }), context);
        break;
      }
      case "active": {
        const { silenceMs = 0 } = recipe;
        this.#isNextKnown = false;
        subscription.dueAt = stage.heardAt + silenceMs;
        if (subscription.dueAt > context.now) return;
        const detail = `no message came within ${silenceMs} ms (silence)`;
        this.#end(subscription, stage, { code: "reply_timeout", sent: "yes", detail }, context);
        this.#unsubscriptions.begin({ recipe, id: stage.id, removal: undefined });
      }
    }
  }

  /** Failures are forgotten only after good service, so that one that ends every time is not requested hotly. */
  #end(subscription: Subscription, { since, heardAt }: Active, failure: Failure, context: Context): void {
    if (heardAt > since && heardAt - since >= context.retry.stable) subscription.failures = 0;
    this.#fail(subscription, failure, context);
  }

  #fail(subscription: Subscription, failure: Failure, { now, random, retry }: Context): void {
    if (!subscription.recipe.renews && failure.sent !== "no") {
      this.#giveUp(subscription, failure);
      return;
    }
    // An upstream that has just refused is not asked the same at once, unless it is configured to be.
    const least = failure.code === "invalid_reply" ? Math.min(REFUSED_PAUSE_MS, retry.to) : retry.from;
    const backoff = fullJitter(subscription.failures++, retry.from, retry.to, random);
    const delay = Math.max(retry.from, least, backoff);
    subscription.lastFailure = failure;
    this.#enter(subscription, { phase: "failed", final: false }, now + delay);
  }

  #giveUp(subscription: Subscription, failure: Failure): void {
    const detail = `${failure.detail}; it is not requested again (renew: false)`;
    subscription.lastFailure = { ...failure, detail };
    this.#enter(subscription, { phase: "failed", final: true });
  }

  #remember(number: number, subscription: Subscription): void {
    this.#timedOut.set(number, subscription);
    const [oldest] = this.#timedOut.keys();
    if (this.#timedOut.size > TIMED_OUT_MAX && oldest !== undefined) this.#timedOut.delete(oldest);
  }

  /** Ends what the upstream has agreed to, or may have, in frames that do not suffice: nothing may be left behind. */
  #undoUnclear(recipe: Recipe, { id, confirmed, refusals }: Asking, { code }: Failure): void {
    const isUnclear = confirmed.size > 0 || (code === "invalid_reply" && refusals === 0);
    if (isUnclear && (id !== undefined || !needsIdToEnd(recipe)))
      this.#unsubscriptions.begin({ recipe, id: id ?? NO_ID, removal: undefined });
  }

  /** True if the message would end another subscription, which is active or being requested. */
  #isShared(message: string): boolean {
    for (const { recipe, stage } of this.#byName.values()) {
      const isNameless = stage.phase === "asking" && !needsIdToEnd(recipe);
      const id = stage.phase === "active" ? stage.id : isNameless ? NO_ID : undefined;
      if (id !== undefined && this.#unsubscriptions.messageFor(recipe, id) === message) return true;
    }
    return false;
  }

  #consider(recipe: Recipe, asking: Asking, frame: FrameText, isReply: boolean): boolean {
    return consider(recipe, asking, frame, isReply, (each) => shown(each, recipe, this.#secrets));
  }

  /** @returns the number under which the outcome will be reported to `settled` */
  #send(type: "request" | "send", message: string, number = ++this.#number): number {
    this.#effects.push({ type, number, message });
    return number;
  }

  #enter(subscription: Subscription, stage: Stage, dueAt?: number): void {
    subscription.stage = stage;
    subscription.dueAt = dueAt;
    this.#isNextKnown = false;
    const { name, activations, lastFailure } = subscription;
    this.#effects.push({ type: "state", name, state: { phase: stage.phase, activations, lastFailure } });
  }

  #take(): readonly SubscriptionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

function isFinal({ stage }: Subscription): boolean {
  return stage.phase === "failed" && stage.final;
}

function earlier(a: number | undefined, b: number): number {
  return a === undefined || b < a ? b : a;
}
