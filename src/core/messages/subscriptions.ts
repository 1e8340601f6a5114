import type { SubscriptionSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type Condition, compile, type Test } from "../../protocols/condition.ts";
import { locate, type Pointer, parsePointer, replace } from "../../protocols/json-edit.ts";
import { checkedJson, type Json, readFrame } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { Outcome } from "../outcome.ts";
import { fullJitter } from "../util/backoff.ts";

/**
 * Standing subscriptions: asked for again on every connection, until they are taken back. The upstream's own name of a
 * subscription changes each time, and is hidden behind ours. Pure: inputs are method calls, effects come back in order.
 */

/**
 * - `waiting`: there is no connection to ask on.
 * - `asking`: the request is on its way.
 * - `active`: the upstream agreed.
 * - `failed`: it refused, or did not answer; asked again after a while.
 */
export type SubscriptionPhase = "waiting" | "asking" | "active" | "failed";

export interface SubscriptionState {
  readonly phase: SubscriptionPhase;
  /** How often the upstream has agreed. */
  readonly activations: number;
  /** Why it failed the last time; undefined when it never has. */
  readonly lastFailure?: Failure | undefined;
}

export type SubscriptionEffect =
  /** Send this and bring the outcome with `settled`, under this number. */
  | { readonly type: "ask"; readonly number: number; readonly message: string }
  | { readonly type: "tell"; readonly number: number; readonly message: string }
  | { readonly type: "state"; readonly name: string; readonly state: SubscriptionState }
  | { readonly type: "message"; readonly name: string; readonly text: string };

/** What there is to know of one: from its settings, or from a preset. */
interface Recipe {
  readonly request: unknown;
  readonly id: string | undefined;
  /** Which messages belong to it. The test is given the upstream's id, as JSON. */
  readonly owns: Test;
  /** Where its messages have the upstream's id. */
  readonly idPlaces: readonly Pointer[];
  readonly unsubscribe: unknown;
}

interface Subscription {
  readonly name: string;
  readonly settings: Recipe;
  state: SubscriptionState;
  failures: number;
  /** When it is asked for again, in `failed`. */
  retryAt: number | undefined;
  /** In `active`: what the upstream calls it, as JSON. */
  upstreamId: string | undefined;
  /** Taken back while the request was on its way: the answer must be undone. */
  removed: boolean;
}

/** What stands for the upstream's id in `match` and `unsubscribe`. */
const ID = "$id";
/** The id where none is asked for, as JSON. */
const NO_ID = "null";
/** Messages that come while a request is on its way may be its first ones: so many, of so many characters, are looked at again. */
const EARLY_MAX = 1_000;
const EARLY_CHARACTERS = 1024 * 1024;
/** Requests that were not answered in time are remembered for a late answer: the newest so many. */
const UNANSWERED_MAX = 1_000;

/** What the upstream must be told to end. */
interface Undoing {
  readonly subscription: Subscription;
  /** The upstream's, as JSON. */
  readonly id: string;
}

interface Context {
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  readonly retry: { readonly from: number; readonly to: number };
}

export class Subscriptions {
  readonly #byName = new Map<string, Subscription>();
  /** Requests on their way, by our number. */
  readonly #asked = new Map<number, Subscription>();
  /** Requests that were not answered in time, and may be still. */
  readonly #unanswered = new Map<number, Subscription>();
  /** What is being undone, by our number; and what there was no room to undo, with when it is tried again. */
  readonly #undoing = new Map<number, Undoing>();
  readonly #untold = new Map<Undoing, number>();
  #early: Json[] = [];
  #earlyCharacters = 0;
  #connected = false;
  #number = 0;
  #effects: SubscriptionEffect[] = [];

  /** When `expire` must be called; undefined when there is nothing to be asked for again. */
  get nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { retryAt } of this.#byName.values())
      if (retryAt !== undefined) next = Math.min(next ?? retryAt, retryAt);
    for (const retryAt of this.#untold.values()) next = Math.min(next ?? retryAt, retryAt);
    return next;
  }

  add(name: string, settings: SubscriptionSettings): readonly SubscriptionEffect[] {
    const subscription: Subscription = {
      name,
      settings: recipeOf(settings),
      state: { phase: "waiting", activations: 0 },
      failures: 0,
      retryAt: undefined,
      upstreamId: undefined,
      removed: false,
    };
    this.#byName.set(name, subscription);
    if (this.#connected) this.#ask(subscription);
    else this.#become(subscription, { phase: "waiting" });
    return this.#take();
  }

  remove(name: string): readonly SubscriptionEffect[] {
    const subscription = this.#byName.get(name);
    if (!subscription) return [];
    this.#byName.delete(name);
    subscription.removed = true;
    if (subscription.upstreamId !== undefined) this.#undo(subscription, subscription.upstreamId);
    return this.#take();
  }

  /** There is a connection (again): everything is asked for. */
  connected(): readonly SubscriptionEffect[] {
    this.#connected = true;
    for (const subscription of this.#byName.values()) this.#ask(subscription);
    return this.#take();
  }

  lost(): readonly SubscriptionEffect[] {
    this.#connected = false;
    this.#asked.clear();
    this.#unanswered.clear();
    this.#undoing.clear();
    this.#untold.clear();
    for (const subscription of this.#byName.values()) {
      subscription.upstreamId = undefined;
      subscription.retryAt = undefined;
      if (subscription.state.phase !== "waiting") this.#become(subscription, { phase: "waiting" });
    }
    this.#forgetEarly();
    return this.#take();
  }

  /** How the request of that number ended. */
  settled(number: number, outcome: Outcome, context: Context): readonly SubscriptionEffect[] {
    const subscription = this.#asked.get(number);
    if (!subscription) {
      this.#told(number, outcome, context);
      return [];
    }
    this.#asked.delete(number);
    const answer = answerIn(outcome, subscription.settings.id);
    if ("code" in answer) {
      if (answer.code === "reply_timeout" && answer.sent !== "no") this.#remember(number, subscription);
      if (!subscription.removed) this.#fail(subscription, answer, context);
    } else if (subscription.removed) {
      this.#undo(subscription, answer.id);
    } else {
      this.#activate(subscription, answer.id);
    }
    if (this.#asked.size === 0) this.#forgetEarly();
    return this.#take();
  }

  /** How a request ended that was not answered in time. It counts as refused: what was agreed to so late is undone. */
  late(number: number, outcome: Outcome): readonly SubscriptionEffect[] {
    const subscription = this.#unanswered.get(number);
    this.#unanswered.delete(number);
    const answer = subscription && answerIn(outcome, subscription.settings.id);
    if (answer && !("code" in answer)) this.#undo(subscription, answer.id);
    return this.#take();
  }

  /** To be called when `nextDeadline` has come. */
  expire(now: number): readonly SubscriptionEffect[] {
    for (const subscription of this.#byName.values()) {
      if (subscription.retryAt !== undefined && subscription.retryAt <= now) this.#ask(subscription);
    }
    for (const [undoing, retryAt] of [...this.#untold]) {
      if (retryAt > now) continue;
      this.#untold.delete(undoing);
      this.#undo(undoing.subscription, undoing.id);
    }
    return this.#take();
  }

  /** Something that came unasked. Effects for everyone whose it is; none when it is nobody's. */
  message(text: string): readonly SubscriptionEffect[] {
    const json = checkedJson(text);
    for (const subscription of this.#byName.values()) this.#tell(subscription, json);
    if (this.#asked.size > 0 && this.#early.length < EARLY_MAX && this.#earlyCharacters < EARLY_CHARACTERS) {
      this.#early.push(json);
      this.#earlyCharacters += text.length;
    }
    return this.#take();
  }

  #ask(subscription: Subscription): void {
    const number = ++this.#number;
    subscription.retryAt = undefined;
    this.#asked.set(number, subscription);
    this.#become(subscription, { phase: "asking" });
    this.#effects.push({ type: "ask", number, message: messageText(subscription.settings.request) });
  }

  #activate(subscription: Subscription, id: string): void {
    const { state } = subscription;
    subscription.upstreamId = id;
    subscription.failures = 0;
    this.#become(subscription, { phase: "active", activations: state.activations + 1 });
    for (const json of this.#early) this.#tell(subscription, json);
  }

  #fail(subscription: Subscription, failure: Failure, { now, random, retry }: Context): void {
    subscription.retryAt =
      now + Math.max(retry.from, fullJitter(subscription.failures++, retry.from, retry.to, random));
    this.#become(subscription, { phase: "failed", lastFailure: failure });
  }

  #remember(number: number, subscription: Subscription): void {
    this.#unanswered.set(number, subscription);
    const [oldest] = this.#unanswered.keys();
    if (this.#unanswered.size > UNANSWERED_MAX && oldest !== undefined) this.#unanswered.delete(oldest);
  }

  #tell({ name, settings, upstreamId }: Subscription, json: Json): void {
    if (upstreamId === undefined || !settings.owns(json, upstreamId)) return;
    this.#effects.push({ type: "message", name, text: withOurName(json, settings, name) });
  }

  /** Unless it would undo another as well: an upstream may take two for one, or know them by nothing but their channel. */
  #undo(subscription: Subscription, id: string): void {
    const message = undoing(subscription.settings, id);
    if (message === undefined) return;
    for (const { settings: theirs, state, upstreamId } of this.#byName.values()) {
      const known = upstreamId ?? (state.phase === "asking" && theirs.id === undefined ? NO_ID : undefined);
      if (known !== undefined && undoing(theirs, known) === message) return;
    }
    const number = ++this.#number;
    this.#undoing.set(number, { subscription, id });
    this.#effects.push({ type: "tell", number, message });
  }

  /** What there was no room for is told again: nobody else would ever end it. */
  #told(number: number, outcome: Outcome, { now, retry }: Context): void {
    const undoing = this.#undoing.get(number);
    this.#undoing.delete(number);
    if (!undoing || outcome.type !== "failed" || outcome.failure.retryAfterMs === undefined) return;
    this.#untold.set(undoing, now + Math.max(retry.from, outcome.failure.retryAfterMs));
  }

  #become(subscription: Subscription, change: Partial<SubscriptionState>): void {
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
  if (preset === undefined) return { request, id, unsubscribe, ...ownership(condition) };
  return {
    request: { jsonrpc: "2.0", method: "eth_subscribe", params },
    id: "/result",
    unsubscribe: { jsonrpc: "2.0", method: "eth_unsubscribe", params: [ID] },
    ...ownership({ match: { "/method": "eth_subscription", "/params/subscription": ID } }),
  };
}

function ownership(condition: Condition): Pick<Recipe, "owns" | "idPlaces"> {
  const places = Object.entries(condition.match ?? {}).filter(([, value]) => value === ID);
  return { owns: compile(condition, ID), idPlaces: places.map(([pointer]) => parsePointer(pointer)) };
}

/** What the upstream calls the subscription, as JSON; `null` where that is not asked for. Or why it did not agree. */
function answerIn(outcome: Outcome, pointer: string | undefined): { readonly id: string } | Failure {
  if (outcome.type === "failed") return outcome.failure;
  const answer = outcome.type === "reply" ? idIn(outcome.body, pointer) : { why: "its request gets no single reply" };
  return "why" in answer ? { code: "invalid_reply", sent: "yes", detail: answer.why } : answer;
}

function idIn(reply: Body, pointer: string | undefined): { readonly id: string } | { readonly why: string } {
  const json = readFrame(reply);
  if ("why" in json) return { why: `the reply is not JSON: ${json.why}` };
  const { text, root } = json;
  const error = locate(text, root, ["error"]);
  const shown = text.slice(0, 200);
  if (error.type === "found" && !isNull(text, error.value)) return { why: `the upstream refused it: ${shown}` };
  if (pointer === undefined) return { id: NO_ID };
  const place = locate(text, root, parsePointer(pointer));
  if (place.type !== "found" || isNull(text, place.value))
    return { why: `nothing is at ${pointer} of the reply: ${shown}` };
  return { id: text.slice(place.value.start, place.value.end) };
}

function isNull(text: string, { start }: { readonly start: number }): boolean {
  return text.startsWith("null", start);
}

/** The message that takes it back; undefined where there is none. */
function undoing({ unsubscribe }: Recipe, id: string): string | undefined {
  return unsubscribe === undefined ? undefined : messageText(withId(unsubscribe, JSON.parse(id)));
}

function messageText(message: unknown): string {
  return typeof message === "string" ? message : JSON.stringify(message);
}

/** Readers see our name where the upstream put its own, which changes with every connection. */
function withOurName(json: Json, { idPlaces }: Recipe, name: string): string {
  let { text } = json;
  for (const pointer of idPlaces) {
    const place = locate(text, checkedJson(text).root, pointer);
    if (place.type === "found") text = replace(text, place.value, JSON.stringify(name));
  }
  return text;
}

/** Every text that is `$id` becomes the id. */
function withId(value: unknown, id: unknown): unknown {
  if (value === ID) return id;
  if (Array.isArray(value)) return value.map((item) => withId(item, id));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withId(item, id)]));
}
