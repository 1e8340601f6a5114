/** Protocol for JSON without ids: one request is sent at a time, and rules say which frames are its reply. */

import type { Condition } from "./condition.ts";
import { type Final, FrameRules } from "./frame-rules.ts";
import { jsonArrayOf, readFrame, readMessage } from "./json-message.ts";
import type { Body, Decoded, DecodedMessage, Encoded, Protocol } from "./protocol.ts";
import { messageText } from "./subscription-request.ts";

/** The rules of `json` for frames of a reply, whichever way its request is found. */
export interface JsonRules {
  /** A frame of a request that does not meet this is a message, not a reply. */
  readonly reply?: Condition | undefined;
  /** Frames of a request that precede the reply. They are handed on as messages. */
  readonly skip?: readonly Condition[] | undefined;
  /** The end of a request. Frames before it are skipped, or with `collect` are parts of the reply. */
  readonly final?: Final<Condition> | undefined;
  /** Makes the reply an array of all its frames; `frames` bounds their number. */
  readonly collect?: { readonly frames?: number | undefined } | undefined;
  /** The message that ends a request which nobody reads any more. */
  readonly cancel?: unknown;
}

interface OrderOptions {
  /** True if frames that look like a reply also come without a request, so that they prove nothing. */
  readonly unprompted?: boolean;
}

/** Builds the protocol. Throws if a pointer is invalid or a condition is empty. */
export function jsonByOrder(options: JsonRules, name = "json", { unprompted = false }: OrderOptions = {}): Protocol {
  const { reply, skip, final, collect, cancel } = options;
  const rules = new FrameRules(options);

  function encode(message: Body): Encoded {
    return { frame: readMessage(message).text, expectsReply: true };
  }

  function decode(frame: Body): Decoded {
    const json = readFrame(frame);
    if ("why" in json) return { type: "noise", why: json.why };
    const { type, met } = rules.judge(json);
    const otherwise: DecodedMessage = { type: "message", json: true };
    if (type === "message") return otherwise;
    const of = (id: number | string) => rules.framed({ type, met }, id, () => frame, collect && jsonArrayOf);
    return type === "reply" && !unprompted ? of(0) : { type: "aliased", alias: "", of, otherwise };
  }

  const takesEveryFrame = reply === undefined && skip === undefined && final === undefined;
  const several = { streams: collect !== undefined, maxFrames: collect?.frames };
  const ending = cancel === undefined ? {} : { cancel: () => messageText(cancel) };
  const maxId = Number.MAX_SAFE_INTEGER;
  const order = { correlation: "order", takesEveryFrame } as const;
  return { name, ...order, accepts: "json", maxId, ...several, ...ending, encode, decode };
}
