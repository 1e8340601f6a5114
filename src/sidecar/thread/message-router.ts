/** The router of an upstream's messages: each goes to the journal of its subscription, or to the main one. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { NewRequest } from "../../core/exchange/request-table.ts";
import { type HeldAnswer, HeldAnswers, type KeptAt } from "../../core/messages/held-answers.ts";
import { type Cursor, MAIN_JOURNAL, type MessageKind } from "../../core/messages/journal.ts";
import { AGREE_WITHIN_MS, type SubscriptionEffect, Subscriptions } from "../../core/messages/subscriptions.ts";
import type { SecretHandling } from "../../core/messages/unsubscriptions.ts";
import {
  type KeptRequest,
  type NoRequest,
  type UpstreamRequest,
  UpstreamRequests,
} from "../../core/messages/upstream-requests.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Tally } from "../../core/tally.ts";
import type { Budget } from "../../core/util/budget.ts";
import { isJsonTo } from "../../protocols/json-message.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import type { Answered, CommandOf, FromThread, JournalEpochs } from "../contract.ts";
import { AgreementWaits } from "./agreement-waits.ts";
import { Journals, type MessageWriter } from "./journals.ts";
import type { SharedLog } from "./shared-log.ts";

interface RouterEnvironment {
  readonly budget: Budget;
  readonly tally: Tally;
  now(): number;
  post(message: FromThread): void;
  /** Writes the journals, if replicas share the upstream. */
  readonly log?: SharedLog | undefined;
  readonly secrets: SecretHandling;
  /** Makes a request or a send of the subscriptions; `onSettled` is called with its outcome. */
  request(request: NewRequest, now: number): void;
}

/** Also carries out the effects of the subscriptions, whose requests go the same way as those of callers. */
export class MessageRouter {
  readonly #name: string;
  #retry: { readonly from: number; readonly to: number; readonly stable: number };
  readonly #accepts: Protocol["accepts"];
  readonly #env: RouterEnvironment;
  readonly #journals: Journals;
  readonly #writer: MessageWriter;
  readonly #subscriptions: Subscriptions;
  readonly #held: HeldAnswers;
  readonly #requests = new UpstreamRequests();
  readonly #agreements: AgreementWaits;
  /** How many messages came since the exit's stop step and were not kept; undefined before it. */
  #unkept: number | undefined;

  constructor(
    name: string,
    settings: UpstreamSettings,
    { accepts, refuses }: Pick<Protocol, "accepts" | "refuses">,
    life: JournalEpochs,
    env: RouterEnvironment,
  ) {
    this.#name = name;
    this.#retry = retryOf(settings);
    this.#accepts = accepts;
    this.#env = env;
    this.#subscriptions = new Subscriptions(env.secrets, refuses);
    this.#agreements = new AgreementWaits((seq, outcome) =>
      env.post({ type: "settled", upstream: name, seq, outcome }),
    );
    this.#held = new HeldAnswers(env.tally);
    this.#journals = new Journals(name, settings.messages, env.post, env.budget, undefined, env.tally);
    env.log?.attach(this.#journals, (journal, from, to) => this.#held.move(journal, from, to));
    this.#writer = env.log ?? this.#journals;
    this.#writer.open(MAIN_JOURNAL, life);
  }

  reconfigure(settings: UpstreamSettings): void {
    this.#retry = retryOf(settings);
    this.#journals.resize(settings.messages);
    this.#env.log?.reconfigure(settings);
  }

  /** Gives back all memory: the upstream is removed. */
  end(): void {
    this.#journals.end();
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    return this.#journals.kept;
  }

  get unkept(): number {
    return this.#unkept ?? 0;
  }

  /** When `expire` must be called; undefined if nothing is due. */
  get nextDeadline(): number | undefined {
    const [one, other] = [this.#subscriptions.nextDeadline, this.#held.nextDeadline];
    return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
  }

  read(command: CommandOf<"read">): void {
    this.#journals.read(command);
  }

  unread(seq: number): void {
    this.#journals.cancelRead(seq);
  }

  subscribe({ name, epochs, settings, lost }: CommandOf<"subscribe">): void {
    this.#writer.open(name, epochs);
    this.#carryOut(this.#subscriptions.add(name, settings, lost));
  }

  unsubscribe({ name, seq }: CommandOf<"unsubscribe">): void {
    this.#carryOut(this.#subscriptions.remove(name, seq));
    this.#writer.remove(name);
    this.#agreements.onRemoved(name);
  }

  agree({ seq, name, wait }: CommandOf<"agree">): void {
    this.#agreements.ask(seq, name, wait);
  }

  /** True if a caller waits for the upstream to agree to a subscription. */
  get owesAgreement(): boolean {
    return this.#agreements.size > 0;
  }

  abandon(seq: number): void {
    this.#agreements.abandon(seq);
  }

  /** Exit: those who wait for an agreement are released. */
  cancel(): void {
    this.#agreements.cancel();
  }

  /**
   * @param json true if the protocol has already parsed the frame as JSON
   * @param answer the answer that `delivered` returns once the message has been delivered
   * @param replyOver the connection that it came over, if it is a request of the upstream's own
   */
  message(frame: Body, json?: boolean, answer?: HeldAnswer, replyOver?: number): void {
    const request = replyOver === undefined ? undefined : this.#requests.on(replyOver);
    const places = this.#keep(frame, json, request, answer !== undefined);
    if (answer) this.#held.hold(answer, places, this.#env.now());
  }

  /** Returns the answers that waited for these messages. */
  delivered({ journal, epoch, seqs }: CommandOf<"delivered">): readonly HeldAnswer[] {
    return this.#journals.epochOf(journal) === epoch ? this.#held.delivered(journal, seqs) : [];
  }

  /** Returns the answers that waited for the messages up to a place, or why there can be none. */
  acknowledged({
    journal,
    through,
  }: CommandOf<"acknowledge">): readonly HeldAnswer[] | Exclude<Answered, number | "elsewhere"> {
    const place = this.#journals.newestOf(journal);
    if (place === undefined) return "nowhere";
    if (place.epoch !== through.epoch) return "gone";
    return through.seq > place.seq ? "ahead" : this.#held.acknowledged(journal, through.seq);
  }

  /** The request of the upstream's in a place, or why there is none. */
  requestAt(place: Cursor): KeptRequest | NoRequest {
    return this.#journals.requestAt(place);
  }

  /** A connection has ended: requests that came over it can no longer be answered. */
  onConnectionLost(connection: number): void {
    this.#requests.onLost(connection);
    this.#held.lost(connection);
  }

  /** @returns where the message is kept */
  #keep(frame: Body, json?: boolean, request?: UpstreamRequest, tracked = false): readonly KeptAt[] {
    if (this.#unkept !== undefined) {
      this.#unkept++;
      return [];
    }
    const kind = kindOf(frame, this.#accepts, json);
    const isWanted = typeof frame === "string" && !this.#subscriptions.isIdle;
    const effects = isWanted ? this.#subscriptions.message(frame, this.#context(), kind === "json") : undefined;
    if (effects) return this.#carryOut(effects, request, tracked);
    const seq = this.#writer.append(MAIN_JOURNAL, frame, kind, request, tracked);
    return seq === undefined ? [] : [{ journal: MAIN_JOURNAL, seq }];
  }

  /** From here on messages are counted and not kept. */
  stop(): void {
    this.#unkept ??= 0;
  }

  /** Call when it is known whether the next connection goes on where the last one ended. */
  onResuming(isExpected: boolean): void {
    this.#writer.resuming(MAIN_JOURNAL, isExpected);
  }

  /**
   * Call when a connection is ready, so that messages can come again.
   * @param filled true if the upstream has sent what was missed; undefined if it never does
   */
  onReady(filled: boolean | undefined): void {
    this.#writer.back(MAIN_JOURNAL, filled);
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
    this.#writer.handedOver(why);
    this.#carryOut(this.#subscriptions.lost(why, withdrawn));
  }

  /** @param withdrawn as for `onRotated` */
  onLost(why: string, withdrawn: readonly number[]): void {
    this.#writer.away(why);
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
    this.#held.expire(this.#env.now());
    this.#carryOut(this.#subscriptions.expire(this.#context()));
  }

  #context() {
    return { now: this.#env.now(), random: Math.random(), retry: this.#retry };
  }

  /**
   * @param request the message that had these effects, if it is one of the upstream's own requests
   * @returns where the message that had these effects is kept. Messages after an agreement are others, that came before
   *   it, and may be this one again: none of them counts.
   */
  #carryOut(effects: readonly SubscriptionEffect[], request?: UpstreamRequest, tracked = false): readonly KeptAt[] {
    const places: KeptAt[] = [];
    let isAgreed = false;
    for (const effect of effects) {
      switch (effect.type) {
        case "request":
        case "send": {
          const now = this.#env.now();
          const deadline = now + AGREE_WITHIN_MS;
          this.#env.request({ seq: effect.number, kind: effect.type, body: effect.message, deadline }, now);
          break;
        }
        case "unready":
          this.onSettled(effect.number, { type: "failed", failure: effect.failure, own: undefined });
          break;
        case "state":
          isAgreed ||= effect.state.phase === "active";
          if (effect.state.phase === "active") this.#writer.back(effect.name);
          if (effect.state.phase === "failed") this.#writer.still(effect.name, effect.state.lastFailure?.detail ?? "");
          this.#env.post({ type: "subscription", upstream: this.#name, name: effect.name, state: effect.state });
          this.#agreements.onState(effect.name, effect.state);
          break;
        case "message": {
          const { name, text, kind } = effect;
          const seq = this.#writer.append(name, text, kind, isAgreed ? undefined : request, tracked);
          if (seq !== undefined && !isAgreed) places.push({ journal: name, seq });
          break;
        }
        case "missed":
          this.#writer.missed(effect.name, "more came before the upstream agreed than could be kept");
          break;
        case "removed": {
          const { removal: seq, failure } = effect;
          this.#env.post({ type: "unsubscribed", upstream: this.#name, seq, failure });
        }
      }
    }
    return places;
  }
}

function retryOf({ reconnect: { from, to: stable, refused: to } }: UpstreamSettings) {
  return { from: Math.min(from, to), to, stable };
}

/** The type that readers see of `data`. Bytes stay bytes, whatever they hold. */
function kindOf(frame: Body, accepts: Protocol["accepts"], json = false): MessageKind {
  if (typeof frame !== "string") return "binary";
  return json || isJsonTo(accepts, frame) ? "json" : "text";
}
