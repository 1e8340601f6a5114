/** Subscriptions of one upstream, which are requested on every connection until they are removed. */

import type { SubscriptionSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type Condition, compile, type FrameText, pointersOf, type Test } from "../../protocols/condition.ts";
import { locate, type Pointer, parsePointer, pointerText, replace } from "../../protocols/json-edit.ts";
import { checkedJson, type Json, readFrame } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import { messageText, requestOf } from "../../protocols/subscription-request.ts";
import type { Outcome } from "../outcome.ts";
import { fullJitter } from "../util/backoff.ts";

/**
 * - `waiting`: there is no connection.
 * - `asking`: the request is in flight.
 * - `active`: the upstream agreed.
 * - `failed`: the upstream refused or did not reply; the request is repeated after a delay.
 */
export type SubscriptionPhase = "waiting" | "asking" | "active" | "failed";

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
  | { readonly type: "state"; readonly name: string; readonly state: SubscriptionState }
  | { readonly type: "message"; readonly name: string; readonly text: string; readonly kind: "json" | "text" };

/** The messages and tests of a subscription, from its settings or its preset. */
interface Recipe {
  readonly request: unknown;
  /** Where the reply has the upstream's id. */
  readonly idPointer: Pointer | undefined;
  /** Tests if a message belongs to the subscription, given the upstream's id. */
  readonly owns: Test;
  /** Where messages have the upstream's id. */
  readonly idPlaces: readonly Pointer[];
  readonly unsubscribe: unknown;
}

interface Subscription {
  readonly name: string;
  readonly recipe: Recipe;
  state: SubscriptionState;
  failures: number;
  /** The time of the next request. Only in `failed`. */
  retryAt: number | undefined;
  /** The upstream's id, as JSON. Only in `active`. */
  upstreamId: string | undefined;
  /** Removed while the request was in flight, so that an agreement must be undone. */
  removed: boolean;
}

/** The placeholder for the upstream's id in `match` and `unsubscribe`. */
const ID = "$id";
/** The id of a subscription without one, as JSON. */
const NO_ID = "null";
/** Bounds of the messages kept while a request is in flight: they may turn out to belong to the new subscription. */
const EARLY_MAX = 1_000;
const EARLY_CHARACTERS = 1024 * 1024;
/** The number of timed-out requests, newest first, that are remembered for a late reply. */
const TIMED_OUT_MAX = 1_000;

/** A subscription that the upstream must end. */
interface Unsubscription {
  readonly recipe: Recipe;
  /** The upstream's id, as JSON. */
  readonly id: string;
}

interface Context {
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  readonly retry: { readonly from: number; readonly to: number };
}

/** The handling of secrets in subscriptions of the configuration. */
export interface SecretHandling {
  /** Resolves the placeholders of a message. */
  fill<Value>(message: Value): Value;
  /** Quotes a reply for people. */
  show(reply: string): string;
}

/**
 * The upstream's own id of a subscription changes with every connection and is hidden behind our name. Pure: inputs are
 * method calls, which return effects in order.
 */
export class Subscriptions {
  readonly #byName = new Map<string, Subscription>();
  /** Requests in flight, by our number. */
  readonly #inFlight = new Map<number, Subscription>();
  /** Requests that timed out and may still get a late reply, by our number. */
  readonly #timedOut = new Map<number, Subscription>();
  /** Unsubscriptions that were sent, by our number. */
  readonly #undoing = new Map<number, Unsubscription>();
  /** Unsubscriptions that could not be sent for lack of room, with the time of the next attempt. */
  readonly #postponed = new Map<Unsubscription, number>();
  #early: FrameText[] = [];
  #earlyCharacters = 0;
  #connected = false;
  #number = 0;
  #effects: SubscriptionEffect[] = [];
  readonly #secrets: SecretHandling;

  constructor(secrets: SecretHandling = { fill: (message) => message, show: (reply) => reply.slice(0, 200) }) {
    this.#secrets = secrets;
  }

  /** The time at which `expire` must be called; undefined if nothing is to be repeated. */
  get nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { retryAt } of this.#byName.values())
      if (retryAt !== undefined) next = Math.min(next ?? retryAt, retryAt);
    for (const retryAt of this.#postponed.values()) next = Math.min(next ?? retryAt, retryAt);
    return next;
  }

  add(name: string, settings: SubscriptionSettings): readonly SubscriptionEffect[] {
    const subscription: Subscription = {
      name,
      recipe: recipeOf(settings),
      state: { phase: "waiting", activations: 0 },
      failures: 0,
      retryAt: undefined,
      upstreamId: undefined,
      removed: false,
    };
    this.#byName.set(name, subscription);
    if (this.#connected) this.#request(subscription);
    else this.#setState(subscription, { phase: "waiting" });
    return this.#take();
  }

  remove(name: string): readonly SubscriptionEffect[] {
    const subscription = this.#byName.get(name);
    if (!subscription) return [];
    this.#byName.delete(name);
    subscription.removed = true;
    const { recipe, upstreamId } = subscription;
    if (upstreamId !== undefined) this.#undo({ recipe, id: upstreamId });
    return this.#take();
  }

  /** A connection is ready: request every subscription. */
  connected(): readonly SubscriptionEffect[] {
    this.#connected = true;
    for (const subscription of this.#byName.values()) this.#request(subscription);
    return this.#take();
  }

  /** The connection ended, and with it every subscription at the upstream. */
  lost(): readonly SubscriptionEffect[] {
    this.#connected = false;
    this.#inFlight.clear();
    this.#timedOut.clear();
    this.#undoing.clear();
    this.#postponed.clear();
    for (const subscription of this.#byName.values()) {
      subscription.upstreamId = undefined;
      subscription.retryAt = undefined;
      if (subscription.state.phase !== "waiting") this.#setState(subscription, { phase: "waiting" });
    }
    this.#forgetEarly();
    return this.#take();
  }

  /** The message of that number has its outcome. */
  settled(number: number, outcome: Outcome, context: Context): readonly SubscriptionEffect[] {
    const subscription = this.#inFlight.get(number);
    if (!subscription) {
      this.#onUndone(number, outcome, context);
      return [];
    }
    this.#inFlight.delete(number);
    const agreement = agreementIn(outcome, subscription.recipe.idPointer, this.#secrets.show);
    if ("code" in agreement) {
      if (agreement.code === "reply_timeout" && agreement.sent !== "no") this.#remember(number, subscription);
      if (!subscription.removed) this.#fail(subscription, agreement, context);
    } else if (subscription.removed) {
      this.#undo({ recipe: subscription.recipe, id: agreement.id });
    } else {
      this.#activate(subscription, agreement.id);
    }
    if (this.#inFlight.size === 0) this.#forgetEarly();
    return this.#take();
  }

  /** A request that timed out has its late outcome. It counts as failed already, so undo an agreement. */
  late(number: number, outcome: Outcome): readonly SubscriptionEffect[] {
    const subscription = this.#timedOut.get(number);
    this.#timedOut.delete(number);
    const agreement = subscription && agreementIn(outcome, subscription.recipe.idPointer, this.#secrets.show);
    if (agreement && !("code" in agreement)) this.#undo({ recipe: subscription.recipe, id: agreement.id });
    return this.#take();
  }

  /** The time of `nextDeadline` has come: repeat requests and unsubscriptions that are due. */
  expire(now: number): readonly SubscriptionEffect[] {
    for (const subscription of this.#byName.values()) {
      if (subscription.retryAt !== undefined && subscription.retryAt <= now) this.#request(subscription);
    }
    for (const [unsubscription, retryAt] of [...this.#postponed]) {
      if (retryAt > now) continue;
      this.#postponed.delete(unsubscription);
      this.#undo(unsubscription);
    }
    return this.#take();
  }

  /**
   * Returns an effect for each subscription to which the message belongs; none if it belongs to no subscription.
   * @param isJson true if the text was checked
   */
  message(text: string, isJson = true): readonly SubscriptionEffect[] {
    const frame = isJson ? checkedJson(text) : { text };
    for (const subscription of this.#byName.values()) this.#deliver(subscription, frame);
    if (this.#inFlight.size > 0 && this.#early.length < EARLY_MAX && this.#earlyCharacters < EARLY_CHARACTERS) {
      this.#early.push(frame);
      this.#earlyCharacters += text.length;
    }
    return this.#take();
  }

  #request(subscription: Subscription): void {
    const number = ++this.#number;
    subscription.retryAt = undefined;
    this.#inFlight.set(number, subscription);
    this.#setState(subscription, { phase: "asking" });
    this.#effects.push({
      type: "request",
      number,
      message: messageText(this.#secrets.fill(subscription.recipe.request)),
    });
  }

  #activate(subscription: Subscription, id: string): void {
    const { state } = subscription;
    subscription.upstreamId = id;
    subscription.failures = 0;
    this.#setState(subscription, { phase: "active", activations: state.activations + 1 });
    for (const frame of this.#early) this.#deliver(subscription, frame);
  }

  #fail(subscription: Subscription, failure: Failure, { now, random, retry }: Context): void {
    subscription.retryAt =
      now + Math.max(retry.from, fullJitter(subscription.failures++, retry.from, retry.to, random));
    this.#setState(subscription, { phase: "failed", lastFailure: failure });
  }

  #remember(number: number, subscription: Subscription): void {
    this.#timedOut.set(number, subscription);
    const [oldest] = this.#timedOut.keys();
    if (this.#timedOut.size > TIMED_OUT_MAX && oldest !== undefined) this.#timedOut.delete(oldest);
  }

  #deliver({ name, recipe, upstreamId }: Subscription, frame: FrameText): void {
    if (upstreamId === undefined || !recipe.owns(frame, upstreamId)) return;
    if (frame.root) this.#effects.push({ type: "message", name, text: withOurName(frame, recipe, name), kind: "json" });
    else this.#effects.push({ type: "message", name, text: frame.text ?? "", kind: "text" });
  }

  /**
   * Unsubscribes, unless that would end another subscription as well: an upstream may treat two as one, or know them
   * only by their channel.
   */
  #undo(unsubscription: Unsubscription): void {
    const message = this.#unsubscribeMessage(unsubscription);
    if (message === undefined) return;
    for (const { recipe, state, upstreamId } of this.#byName.values()) {
      const id = upstreamId ?? (state.phase === "asking" && recipe.idPointer === undefined ? NO_ID : undefined);
      if (id !== undefined && this.#unsubscribeMessage({ recipe, id }) === message) return;
    }
    const number = ++this.#number;
    this.#undoing.set(number, unsubscription);
    this.#effects.push({ type: "send", number, message });
  }

  /** Postpones an unsubscription for which there was no room: nothing else would ever end the subscription. */
  #onUndone(number: number, outcome: Outcome, { now, retry }: Context): void {
    const unsubscription = this.#undoing.get(number);
    this.#undoing.delete(number);
    if (!unsubscription || outcome.type !== "failed" || outcome.failure.retryAfterMs === undefined) return;
    this.#postponed.set(unsubscription, now + Math.max(retry.from, outcome.failure.retryAfterMs));
  }

  /** Returns the message that ends the subscription; undefined if the recipe has none. */
  #unsubscribeMessage({ recipe: { unsubscribe }, id }: Unsubscription): string | undefined {
    if (unsubscribe === undefined) return undefined;
    return messageText(withId(this.#secrets.fill(unsubscribe), JSON.parse(id)));
  }

  #setState(subscription: Subscription, change: Partial<SubscriptionState>): void {
    subscription.state = { ...subscription.state, ...change };
    this.#effects.push({ type: "state", name: subscription.name, state: subscription.state });
  }

  #forgetEarly(): void {
    this.#early = [];
    this.#earlyCharacters = 0;
  }

  #take(): readonly SubscriptionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

function recipeOf({ preset, params, request, id, unsubscribe, ...condition }: SubscriptionSettings): Recipe {
  if (preset === undefined) {
    const idPointer = id === undefined ? undefined : parsePointer(id);
    return { request, idPointer, unsubscribe, ...ownership(condition) };
  }
  return {
    request: requestOf({ preset, params }),
    idPointer: ["result"],
    unsubscribe: { jsonrpc: "2.0", method: "eth_unsubscribe", params: [ID] },
    ...ownership({ match: { "/method": "eth_subscription", "/params/subscription": ID } }),
  };
}

function ownership(condition: Condition): Pick<Recipe, "owns" | "idPlaces"> {
  return { owns: compile(condition, ID), idPlaces: pointersOf(condition, ID).map((pointer) => parsePointer(pointer)) };
}

/** The upstream's id of a subscription that it agreed to, as JSON; `null` if the recipe has none. */
interface Agreement {
  readonly id: string;
}

function agreementIn(
  outcome: Outcome,
  idPointer: Pointer | undefined,
  show: SecretHandling["show"],
): Agreement | Failure {
  if (outcome.type === "failed") return outcome.failure;
  const agreement =
    outcome.type === "reply"
      ? readAgreement(outcome.body, idPointer, show)
      : { why: "the request has no single reply" };
  return "why" in agreement ? { code: "invalid_reply", sent: "yes", detail: agreement.why } : agreement;
}

function readAgreement(
  reply: Body,
  idPointer: Pointer | undefined,
  show: SecretHandling["show"],
): Agreement | { readonly why: string } {
  const json = readFrame(reply);
  if ("why" in json) return { why: `the reply is not JSON: ${json.why}` };
  const { text, root } = json;
  const error = locate(text, root, ["error"]);
  const shown = show(text);
  if (error.type === "found" && !isNull(text, error.value)) return { why: `the upstream refused it: ${shown}` };
  if (idPointer === undefined) return { id: NO_ID };
  const place = locate(text, root, idPointer);
  if (place.type !== "found" || isNull(text, place.value))
    return { why: `the reply has no id at ${pointerText(idPointer)}: ${shown}` };
  return { id: text.slice(place.value.start, place.value.end) };
}

function isNull(text: string, { start }: { readonly start: number }): boolean {
  return text.startsWith("null", start);
}

/** Replaces the upstream's id, which changes with every connection, with our name. */
function withOurName(json: Json, { idPlaces }: Recipe, name: string): string {
  let { text } = json;
  for (const pointer of idPlaces) {
    const place = locate(text, checkedJson(text).root, pointer);
    if (place.type === "found") text = replace(text, place.value, JSON.stringify(name));
  }
  return text;
}

/** Replaces every string `$id` in a value with the id. */
function withId(value: unknown, id: unknown): unknown {
  if (value === ID) return id;
  if (Array.isArray(value)) return value.map((item) => withId(item, id));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withId(item, id)]));
}
