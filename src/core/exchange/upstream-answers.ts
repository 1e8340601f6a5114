/** The answers to the upstream's own requests: filled with values, under ids of ours, and bounded. */

import type { AnswerForm, Body, DecodedMessage, Protocol } from "../../protocols/protocol.ts";
import { ValueMissing } from "../connection/captured-texts.ts";
import type { HeldAnswer } from "../messages/held-answers.ts";
import { unrepliable } from "../messages/upstream-requests.ts";
import type { Counters, Failed } from "../outcome.ts";
import { sizeOf } from "./admission.ts";
import type { ConfiguredIds } from "./configured-ids.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import type { SendQueue } from "./send-queue.ts";

/** Fills an answer, which is a text or JSON. Throws ValueMissing if a value in it is not known. */
export type FillAnswer = (connection: number, frame: string, form: AnswerForm) => string;

type Answer = Pick<Extract<DecodedMessage, { type: "answer" }>, "frame" | "adopt" | "fill" | "endsRequest">;

export class UpstreamAnswers {
  readonly #ids: ConfiguredIds;
  readonly #sendQueue: SendQueue;
  readonly #delivery: DeliveryProofs;
  readonly #effects: Effects;
  readonly #counters: Counters;
  readonly #fill: FillAnswer | undefined;
  /** `limits.buffered_bytes` */
  #bufferedMax: number;

  constructor(
    ids: ConfiguredIds,
    sendQueue: SendQueue,
    delivery: DeliveryProofs,
    effects: Effects,
    counters: Counters,
    bufferedMax: number,
    fill: FillAnswer | undefined,
  ) {
    this.#ids = ids;
    this.#sendQueue = sendQueue;
    this.#delivery = delivery;
    this.#effects = effects;
    this.#counters = counters;
    this.#bufferedMax = bufferedMax;
    this.#fill = fill;
  }

  reconfigure(bufferedMax: number): void {
    this.#bufferedMax = bufferedMax;
  }

  /** Replies to an upstream that requests faster than it reads would pile up: `limits.buffered_bytes` bounds them. */
  send(connection: number, answer: Answer, now: number, buffered: number): void {
    const frame = this.#filled(connection, answer);
    if (frame === undefined) {
      this.#counters.unanswered++;
      return;
    }
    if (buffered + sizeOf(frame) > this.#bufferedMax) {
      // An older connection is being closed already.
      if (this.#delivery.isNewest(connection))
        this.#sendQueue.renew(connection, now, "the upstream sends requests and does not read the replies");
      return;
    }
    if (!answer.endsRequest) this.#counters.answered++;
    this.#effects.push({
      type: "send",
      connection,
      frame: answer.adopt ? this.#ids.adopt(connection, frame, "answer") : frame,
    });
  }

  /** Builds the reply of a caller to a request of the upstream's. It is not sent here. */
  replyTo(
    protocol: Pick<Protocol, "replyTo">,
    connection: number,
    request: Body,
    reply: string,
    buffered: number,
  ): Body | Failed {
    try {
      const frame = protocol.replyTo?.(request, reply, connection);
      if (frame === undefined) return failures.failed(unrepliable.plain, undefined);
      if (buffered + sizeOf(frame) <= this.#bufferedMax) return frame;
      return failures.failed(failures.congested(this.#bufferedMax), undefined);
    } catch (error) {
      return failures.invalid(error);
    }
  }

  /** @returns undefined if a value is not known */
  #filled(connection: number, { frame, fill }: Pick<HeldAnswer, "frame" | "fill">): Body | undefined {
    if (fill === undefined || this.#fill === undefined || typeof frame !== "string") return frame;
    try {
      return this.#fill(connection, frame, fill);
    } catch (error) {
      if (error instanceof ValueMissing) return undefined;
      throw error;
    }
  }
}
