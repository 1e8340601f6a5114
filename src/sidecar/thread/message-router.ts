/** The router of an upstream's messages: each goes to the journal of its subscription, or to the main one. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { NewRequest } from "../../core/exchange/request-table.ts";
import type { MessageKind } from "../../core/messages/journal.ts";
import {
  AGREE_WITHIN_MS,
  type SecretHandling,
  type SubscriptionEffect,
  Subscriptions,
} from "../../core/messages/subscriptions.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Budget } from "../../core/util/budget.ts";
import { isJson } from "../../protocols/json-message.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { FromThread, JournalEpochs, ToThread } from "../contract.ts";
import { Journals, MAIN } from "./journals.ts";

type CommandOf<Type extends ToThread["type"]> = Extract<ToThread, { type: Type }>;

interface RouterEnvironment {
  readonly budget: Budget;
  now(): number;
  post(message: FromThread): void;
  readonly secrets: SecretHandling;
  /** Makes a request or a send of the subscriptions; `onSettled` is called with its outcome. */
  request(request: NewRequest, now: number): void;
}

/** Also carries out the effects of the subscriptions, whose requests go the same way as those of callers. */
export class MessageRouter {
  readonly #name: string;
  readonly #retry: { readonly from: number; readonly to: number; readonly stable: number };
  readonly #accepts: Protocol["accepts"];
  readonly #env: RouterEnvironment;
  readonly #journals: Journals;
  readonly #subscriptions: Subscriptions;
  /** How many messages came since the exit's stop step and were not kept; undefined before it. */
  #unkept: number | undefined;

  constructor(
    name: string,
    settings: UpstreamSettings,
    accepts: Protocol["accepts"],
    life: JournalEpochs,
    env: RouterEnvironment,
  ) {
    const { from, to: stable, refused: to } = settings.reconnect;
    this.#name = name;
    this.#retry = { from: Math.min(from, to), to, stable };
    this.#accepts = accepts;
    this.#env = env;
    this.#subscriptions = new Subscriptions(env.secrets);
    this.#journals = new Journals(name, settings.messages, env.post, env.budget);
    this.#journals.open(MAIN, life);
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    return this.#journals.kept;
  }

  get unkept(): number {
    return this.#unkept ?? 0;
  }

  /** When `expire` must be called; undefined if nothing has to be requested again. */
  get nextDeadline(): number | undefined {
    return this.#subscriptions.nextDeadline;
  }

  read(command: CommandOf<"read">): void {
    this.#journals.read(command);
  }

  unread(seq: number): void {
    this.#journals.cancelRead(seq);
  }

  subscribe({ name, epochs, settings, lost }: CommandOf<"subscribe">): void {
    this.#journals.open(name, epochs);
    this.#carryOut(this.#subscriptions.add(name, settings, lost));
  }

  unsubscribe({ name, seq }: CommandOf<"unsubscribe">): void {
    this.#carryOut(this.#subscriptions.remove(name, seq));
    this.#journals.remove(name);
  }

  /** `json`: true if the protocol has already parsed the frame as JSON. */
  message(frame: Body, json?: boolean): void {
    if (this.#unkept !== undefined) {
      this.#unkept++;
      return;
    }
    const kind = kindOf(frame, this.#accepts, json);
    const isWanted = typeof frame === "string" && !this.#subscriptions.isIdle;
    const effects = isWanted ? this.#subscriptions.message(frame, this.#context(), kind === "json") : undefined;
    if (effects) this.#carryOut(effects);
    else this.#journals.append(MAIN, frame, kind);
  }

  /** From here on messages are counted and not kept. */
  stop(): void {
    this.#unkept ??= 0;
  }

  /** Call when a connection is ready, so that messages can come again. */
  onReady(): void {
    this.#journals.back(MAIN);
  }

  /** Requests the subscriptions. Call once the requests that waited for the connection have gone out. */
  onConnected(): void {
    this.#carryOut(this.#subscriptions.connected());
  }

  /**
   * Call when a new connection has replaced one that is still open; the subscriptions are not requested on it yet.
   * @param withdrawn the numbers of their requests that were not sent and will not be
   */
  onRotated(withdrawn: readonly number[]): void {
    const why = "the connection was rotated";
    this.#journals.handedOver(why);
    this.#carryOut(this.#subscriptions.lost(why, withdrawn));
  }

  /** @param withdrawn as for `onRotated` */
  onLost(why: string, withdrawn: readonly number[]): void {
    this.#journals.away(why);
    this.#carryOut(this.#subscriptions.lost(why, withdrawn));
  }

  /** Takes the outcome of a request of the subscriptions. */
  onSettled(seq: number, outcome: Outcome): void {
    this.#carryOut(this.#subscriptions.settled(seq, outcome, this.#context()));
  }

  /** Takes the late outcome of a request that had timed out. */
  onLate(seq: number, outcome: Outcome): void {
    this.#carryOut(this.#subscriptions.late(seq, outcome, this.#context()));
  }

  /** Call when `nextDeadline` has come. */
  expire(): void {
    this.#carryOut(this.#subscriptions.expire(this.#context()));
  }

  #context() {
    return { now: this.#env.now(), random: Math.random(), retry: this.#retry };
  }

  #carryOut(effects: readonly SubscriptionEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "request":
        case "send": {
          const now = this.#env.now();
          const deadline = now + AGREE_WITHIN_MS;
          this.#env.request({ seq: effect.number, kind: effect.type, body: effect.message, deadline }, now);
          break;
        }
        case "state":
          if (effect.state.phase === "active") this.#journals.back(effect.name);
          if (effect.state.phase === "failed")
            this.#journals.still(effect.name, effect.state.lastFailure?.detail ?? "");
          this.#env.post({ type: "subscription", upstream: this.#name, name: effect.name, state: effect.state });
          break;
        case "message":
          this.#journals.append(effect.name, effect.text, effect.kind);
          break;
        case "missed":
          this.#journals.missed(effect.name, "more came before the upstream agreed than could be kept");
          break;
        case "removed": {
          const { removal: seq, failure } = effect;
          this.#env.post({ type: "unsubscribed", upstream: this.#name, seq, failure });
        }
      }
    }
  }
}

/** The type that readers see of `data`. Bytes stay bytes, whatever they hold; so does text in a protocol of text. */
function kindOf(frame: Body, accepts: Protocol["accepts"], json = false): MessageKind {
  if (typeof frame !== "string") return "binary";
  return json || (accepts === "json" && isJson(frame)) ? "json" : "text";
}
