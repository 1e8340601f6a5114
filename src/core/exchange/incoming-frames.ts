/** The frames of the upstream: what each is, and which request or frame of the configuration it answers. */

import { textOf } from "../../protocols/json-message.ts";
import type { Body, Classified, DecodedError, FrameWithId, Protocol, ReplyFrame } from "../../protocols/protocol.ts";
import type { Skeleton } from "../../protocols/skeleton.ts";
import type { HeldAnswer } from "../messages/held-answers.ts";
import type { Counters } from "../outcome.ts";
import type { ConfiguredFrame } from "./configured-frames.ts";
import { type ConfiguredIds, rendered } from "./configured-ids.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import type { HeardFrames } from "./heard.ts";
import type { InFlight } from "./in-flight.ts";
import type { SentPhase } from "./request-table.ts";
import type { TimedOut } from "./timed-out.ts";
import type { UpstreamAnswers } from "./upstream-answers.ts";

/** Facts of a frame that is a message. */
interface MessageFacts {
  readonly json?: true | undefined;
  /** The answer that waits for its delivery. */
  readonly answer?: HeldAnswer | undefined;
  /** The connection that a request of the upstream's own came over. */
  readonly replyOver?: number | undefined;
  /** The reason why it answers nothing, if that is remarkable. */
  readonly why?: string | undefined;
}

/** The parts of the exchange that frames concern. */
interface Concerned {
  readonly protocol: Protocol;
  readonly requests: InFlight;
  readonly configured: ConfiguredIds;
  readonly answers: UpstreamAnswers;
  readonly timedOut: TimedOut;
  readonly delivery: DeliveryProofs;
  readonly heard: HeardFrames;
  readonly effects: Effects;
  readonly counters: Counters;
}

export class IncomingFrames {
  readonly #of: Concerned;

  constructor(concerned: Concerned) {
    this.#of = concerned;
  }

  /** Takes a frame from the upstream. `buffered`: bytes handed to the socket that it could not yet pass on. */
  take(connection: number, frame: Body, now: number, buffered: number): void {
    const decoded = this.#of.protocol.decode(frame, connection);
    if (decoded.type === "ignored") {
      this.#of.counters.ignored++;
      return;
    }
    if (decoded.type !== "several") {
      this.#onDecoded(connection, this.#of.requests.named(connection, decoded), frame, now, buffered);
      return;
    }
    for (const each of decoded.results) {
      // A message among several is not the frame, as far as the protocol says which part of it is.
      const part = "render" in each && each.render ? each.render(undefined) : frame;
      this.#onDecoded(connection, each, part, now, buffered);
    }
  }

  /** Takes a large frame by its skeleton. @returns false if it is no whole reply to a caller's request */
  takeLarge(connection: number, skeleton: Skeleton, now: number): boolean {
    const { protocol, requests } = this.#of;
    const decoded = protocol.decode(skeleton.text, connection);
    if (decoded.type !== "reply" || decoded.gather) return false;
    const entry = requests.correlation.find(connection, decoded.id);
    if (entry === undefined || !requests.takesBytes(entry)) return false;
    const rendered = decoded.render(entry.own);
    const bytes = typeof rendered === "string" ? skeleton.expand(rendered) : undefined;
    if (bytes === undefined) return false;
    requests.onLargeReply(entry, bytes, now);
    return true;
  }

  /** Takes a frame that came before there could be requests. It answers none, whatever it looks like. */
  takeEarly(connection: number, frame: Body, now: number, buffered: number): void {
    const decoded = this.#of.protocol.decode(frame, connection);
    if (decoded.type === "message") this.#onDecoded(connection, decoded, frame, now, buffered);
    if (decoded.type !== "message" && decoded.type !== "several") this.#message(frame);
    if (decoded.type !== "several") return;
    for (const each of decoded.results) {
      const part = "render" in each && each.render ? each.render(undefined) : frame;
      if (each.type === "message" || each.type === "answer") this.#onDecoded(connection, each, part, now, buffered);
      else this.#message(part);
    }
  }

  /** Takes a frame that could not be taken apart, and is therefore no message of this protocol. */
  takeUnreadable(frame: Body, why: string): void {
    this.#of.counters.noise++;
    this.#message(frame, { why });
  }

  #onDecoded(connection: number, decoded: Classified, frame: Body, now: number, buffered: number): void {
    switch (decoded.type) {
      case "message":
        this.#message(decoded.render ? decoded.render(undefined) : frame, {
          json: decoded.json,
          why: decoded.hint,
          replyOver: decoded.wantsReply && connection,
        });
        break;
      case "noise":
        this.takeUnreadable(frame, decoded.why);
        break;
      case "answer": {
        const { deliveredWithinMs: withinMs, adopt = false, fill } = decoded;
        const json = decoded.keep === "json" ? true : undefined;
        if (withinMs !== undefined) {
          this.#message(frame, { json, answer: { connection, frame: decoded.frame, adopt, fill, withinMs } });
          break;
        }
        // Keep it first: the upstream may forget what was answered.
        if (decoded.keep) this.#message(frame, { json });
        this.#of.answers.send(connection, decoded, now, buffered);
        break;
      }
      case "error":
        this.#failUnnamed(connection, decoded, frame, now);
        this.#message(frame);
        break;
      default:
        this.#onFrameWithId(connection, decoded, frame, now);
    }
  }

  #onFrameWithId(connection: number, given: FrameWithId, frame: Body, now: number): void {
    const { correlation } = this.#of.requests;
    const entry = correlation.find(connection, given.id);
    const phase = entry?.phase ?? correlation.owed(given.id);
    const decoded = phase?.connection === connection ? advanced(given, phase) : given;
    if (phase?.connection === connection && "alias" in decoded && decoded.alias !== undefined) {
      correlation.learn(connection, decoded.id, decoded.alias);
      if (!entry) this.#of.requests.cancelNamed(connection, decoded.id);
    }
    const configured = entry ? undefined : this.#of.configured.find(connection, decoded.id);
    if (configured) {
      this.#onConfiguredFrame(connection, configured, decoded, frame);
    } else if (decoded.type === "progress") {
      if (entry) entry.phase.acknowledged = true;
      this.#message(frame);
    } else if (entry) {
      this.#of.requests.onReplyFrame(entry, decoded, frame, now);
    } else {
      this.#stray(connection, decoded, frame, now);
    }
  }

  /**
   * Takes a frame that answers one of the configuration's and met no condition. The reply is counted and dropped. Any
   * other frame is a message: a greeting may have subscribed.
   */
  #onConfiguredFrame(connection: number, configured: ConfiguredFrame, decoded: FrameWithId, frame: Body): void {
    const isReply = decoded.type === "reply" || decoded.type === "invalid";
    if (!isReply || configured.answered) {
      this.#message(rendered(decoded, frame, configured));
      return;
    }
    this.#of.counters.late++;
    this.#of.configured.onReply(connection, decoded.id);
  }

  #stray(connection: number, decoded: ReplyFrame, frame: Body, now: number): void {
    const newest = this.#of.delivery.isNewest(connection);
    const stray = this.#of.requests.correlation.stray(decoded.id, newest, decoded.type !== "part", now);
    if (stray !== "message") this.#of.counters[stray]++;
    if (stray === "late") {
      for (const effect of this.#of.timedOut.onReplyFrame(connection, decoded, now)) this.#of.effects.push(effect);
    } else {
      this.#message(frame);
    }
  }

  /** Fails the requests that an error without an id may refer to. */
  #failUnnamed(connection: number, decoded: DecodedError, frame: Body, now: number): void {
    const { fails, error, detail = error ?? textOf(frame) } = decoded;
    const { requests, delivery, heard } = this.#of;
    const sent = requests.table.sentOn(connection).sort((a, b) => a.phase.order - b.phase.order);
    if (sent.length === 0 || (fails === "only" && sent.length !== 1)) return;
    const shown = detail && heard.shown(detail);
    for (const entry of fails === "all" ? sent : sent.slice(0, 1)) {
      const failure = failures.unnamed(delivery.sent(entry), fails, shown);
      requests.failEarly(entry, failure, now, error);
    }
  }

  #message(frame: Body, { json, answer, why, replyOver }: MessageFacts = {}): void {
    this.#of.counters.messages++;
    this.#of.heard.add(frame, why);
    this.#of.effects.push({ type: "message", frame, json, answer, ...(replyOver !== undefined && { replyOver }) });
  }
}

/** The frame as the last one of its reply, if with it every condition has been met that must be met for the end. */
function advanced(decoded: FrameWithId, phase: SentPhase): FrameWithId {
  if (!("towards" in decoded) || decoded.towards === undefined) return decoded;
  const { met, all, end } = decoded.towards;
  phase.met |= met;
  return phase.met === all ? end : decoded;
}
