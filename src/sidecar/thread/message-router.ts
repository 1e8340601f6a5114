import type { UpstreamSettings } from "../../config/schema.ts";
import type { NewRequest } from "../../core/exchange/admission.ts";
import type { MessageKind } from "../../core/messages/journal.ts";
import { type SubscriptionEffect, Subscriptions } from "../../core/messages/subscriptions.ts";
import type { Outcome } from "../../core/outcome.ts";
import { isJson } from "../../protocols/json-message.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { FromThread, JournalLife, ToThread } from "../contract.ts";
import { Journals, MAIN } from "./journals.ts";

/** The upstream has so long to agree to a subscription, in milliseconds. */
const SUBSCRIBE_WITHIN_MS = 10_000;

type Of<Type extends ToThread["type"]> = Extract<ToThread, { type: Type }>;

interface RouterEnvironment {
  now(): number;
  post(message: FromThread): void;
  /** Makes a request or a send of the subscriptions; `onSettled` is called with its outcome. */
  request(request: NewRequest, now: number): void;
}

/**
 * What an upstream says unasked: it is kept in the journal of the standing subscription whose it is, or in the main one.
 * Requests for subscriptions go the way of all others, and are owned by the subscriptions.
 */
export class MessageRouter {
  readonly #name: string;
  readonly #retry: { readonly from: number; readonly to: number };
  readonly #accepts: Protocol["accepts"];
  readonly #env: RouterEnvironment;
  readonly #journals: Journals;
  readonly #subscriptions = new Subscriptions();
  /** From the exit's first step on: how many messages came that nobody can read any more. */
  #unkept: number | undefined;

  constructor(
    name: string,
    settings: UpstreamSettings,
    accepts: Protocol["accepts"],
    life: JournalLife,
    env: RouterEnvironment,
  ) {
    const { from, refused: to } = settings.reconnect;
    this.#name = name;
    this.#retry = { from: Math.min(from, to), to };
    this.#accepts = accepts;
    this.#env = env;
    this.#journals = new Journals(name, settings.messages, env.post);
    this.#journals.open(MAIN, life);
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    return this.#journals.kept;
  }

  get unkept(): number {
    return this.#unkept ?? 0;
  }

  /** When `expire` must be called; undefined when there is nothing to be asked for again. */
  get nextDeadline(): number | undefined {
    return this.#subscriptions.nextDeadline;
  }

  read(command: Of<"read">): void {
    this.#journals.read(command);
  }

  unread(seq: number): void {
    this.#journals.unread(seq);
  }

  subscribe({ name, life, settings }: Of<"subscribe">): void {
    this.#journals.open(name, life);
    this.#carryOut(this.#subscriptions.add(name, settings));
  }

  unsubscribe(name: string): void {
    this.#carryOut(this.#subscriptions.remove(name));
    this.#journals.remove(name);
  }

  /** `json`: it has been read as JSON. */
  message(frame: Body, json?: boolean): void {
    if (this.#unkept !== undefined) {
      this.#unkept++;
      return;
    }
    const kind = kindOf(frame, this.#accepts, json);
    const claimed = kind === "json" ? this.#subscriptions.message(frame as string) : [];
    if (claimed.length > 0) this.#carryOut(claimed);
    else this.#journals.append(MAIN, frame, kind);
  }

  /** Nothing is kept from here on, only counted. */
  stop(): void {
    this.#unkept ??= 0;
  }

  /** There is a connection (again), over which it can speak. */
  onReady(): void {
    this.#journals.back(MAIN);
  }

  /** And requests that waited for the connection have gone out: now subscriptions are asked for. */
  onConnected(): void {
    this.#carryOut(this.#subscriptions.connected());
  }

  /** There is another connection, on which the subscriptions have yet to be asked for. */
  onRotated(): void {
    this.#journals.handedOver("the connection was rotated");
    this.#carryOut(this.#subscriptions.lost());
  }

  onLost(why: string): void {
    this.#journals.away(why);
    this.#carryOut(this.#subscriptions.lost());
  }

  /** How a request of the subscriptions ended. */
  onSettled(seq: number, outcome: Outcome): void {
    const context = { now: this.#env.now(), random: Math.random(), retry: this.#retry };
    this.#carryOut(this.#subscriptions.settled(seq, outcome, context));
  }

  /** And how it ended after all, when that was because no reply had come in time. */
  onLate(seq: number, outcome: Outcome): void {
    this.#carryOut(this.#subscriptions.late(seq, outcome));
  }

  /** To be called when `nextDeadline` has come. */
  expire(now: number): void {
    this.#carryOut(this.#subscriptions.expire(now));
  }

  #carryOut(effects: readonly SubscriptionEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "ask":
        case "tell": {
          const now = this.#env.now();
          const kind = effect.type === "ask" ? "request" : "send";
          const deadline = now + SUBSCRIBE_WITHIN_MS;
          this.#env.request({ seq: effect.number, kind, body: effect.message, deadline }, now);
          break;
        }
        case "state":
          if (effect.state.phase === "active") this.#journals.back(effect.name);
          if (effect.state.phase === "failed")
            this.#journals.still(effect.name, effect.state.lastFailure?.detail ?? "");
          this.#env.post({ type: "subscription", upstream: this.#name, name: effect.name, state: effect.state });
          break;
        case "message":
          this.#journals.append(effect.name, effect.text, "json");
      }
    }
  }
}

/** What `data` will be to readers. Bytes stay bytes, whatever they hold; in a dialect of text, so does text. */
function kindOf(frame: Body, accepts: Protocol["accepts"], json = false): MessageKind {
  if (typeof frame !== "string") return "binary";
  return json || (accepts === "json" && isJson(frame)) ? "json" : "text";
}
