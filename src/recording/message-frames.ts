/** The framing of an upstream that is played back: recordings hold messages, and clients send and expect frames. */

import type { FrameOptions } from "../protocols/frames.ts";
import { inKindOf, readFrame, textOf } from "../protocols/json-message.ts";
import { elements, kindOf } from "../protocols/json-text.ts";
import type { Body } from "../protocols/protocol.ts";

/** The messages in a frame. */
export function messagesIn(frame: Body, { split }: FrameOptions): readonly Body[] {
  const text = textOf(frame);
  if (split === undefined || text === undefined) return [frame];
  if (split !== "array") return text.split(split).flatMap((piece) => (piece === "" ? [] : inKindOf(frame, piece)));
  const json = readFrame(text);
  if ("why" in json || kindOf(text, json.root) !== "array") return [frame];
  return [...elements(text, json.root)].map(({ start, end }) => inKindOf(frame, text.slice(start, end)));
}

/** The frame of a message. */
export function frameOf(message: Body, { split }: FrameOptions): Body {
  const text = textOf(message);
  if (split === undefined || text === undefined) return message;
  if (split === "array") return inKindOf(message, `[${text}]`);
  return text.endsWith(split) ? message : inKindOf(message, text + split);
}
