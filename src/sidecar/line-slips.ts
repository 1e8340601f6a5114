/** The slips of a line: its small requests and replies, which cross in shared memory instead of by its port. */

import type { Replied, RequestKind } from "../core/outcome.ts";
import type { CommandOf, FromThread, ToThread } from "./contract.ts";
import { type Line, SLIPS_AT } from "./line.ts";
import { PLACE_BYTES, SlipPlace } from "./slip-place.ts";

type LineRequest = CommandOf<"request">;
type Settled = Extract<FromThread, { type: "settled" }>;

/** The kinds that lines have; a slip has the number of its kind. */
const KINDS: readonly RequestKind[] = ["request", "rpc", "send", "confirm"];

/** Takes a request apart. The compiler refuses it once a request has a field that a slip leaves out. */
function partsOf({ type: _type, upstream: _upstream, key, seq, kind, body, deadline, ...rest }: LineRequest) {
  const _nothing: Record<string, never> = rest;
  return { key, seq, kind: KINDS.indexOf(kind), body, deadline };
}

function partsOfReply({ type: _type, body, isText, isCut, queueMs, upstreamMs, ...rest }: Replied) {
  const _nothing: Record<string, never> = rest;
  return { body, isMarked: isText || isCut, queueMs, upstreamMs };
}

export class LineSlips {
  readonly #upstream: string;
  readonly #requests: SlipPlace;
  readonly #replies: SlipPlace;

  constructor({ upstream, words }: Pick<Line, "upstream" | "words">) {
    this.#upstream = upstream;
    this.#requests = new SlipPlace(words, SLIPS_AT);
    this.#replies = new SlipPlace(words, SLIPS_AT + PLACE_BYTES);
  }

  /**
   * The number of the request is then posted by the port, which alone wakes the thread.
   * @param at the caller's clock, by which the deadline is
   * @returns the number; undefined if the message itself has to go by the port
   */
  putRequest(message: ToThread, at: number): number | undefined {
    if (message.type !== "request") return undefined;
    const { key, seq, kind, body, deadline } = partsOf(message);
    if (key || kind < 0 || typeof body !== "string") return undefined;
    return this.#requests.put([seq, at, kind, deadline], body) ? seq : undefined;
  }

  /** @returns undefined if it is not there any more: the caller has gone on to another thread */
  takeRequest(seq: number): { readonly at: number; readonly request: LineRequest } | undefined {
    const slip = this.#requests.take(seq);
    if (!slip) return undefined;
    const [, at, number, deadline] = slip.numbers;
    const kind = KINDS[number] ?? "request";
    return { at, request: { type: "request", upstream: this.#upstream, seq, kind, body: slip.text, deadline } };
  }

  /** @returns false if the message has to go by the port */
  putReply(message: FromThread): boolean {
    if (message.type !== "settled" || message.outcome.type !== "reply") return false;
    const { body, isMarked, queueMs, upstreamMs } = partsOfReply(message.outcome);
    if (typeof body !== "string" || isMarked) return false;
    return this.#replies.put([message.seq, queueMs, upstreamMs, 0], body);
  }

  /** @returns also the late one of an earlier request */
  takeReply(): Settled | undefined {
    const slip = this.#replies.take();
    if (!slip) return undefined;
    const [seq, queueMs, upstreamMs] = slip.numbers;
    const outcome: Replied = { type: "reply", body: slip.text, queueMs, upstreamMs };
    return { type: "settled", upstream: this.#upstream, seq, outcome };
  }

  /** Forgets what a thread that is gone has left. */
  clear(): void {
    this.#requests.clear();
    this.#replies.clear();
  }
}
