/**
 * Frames that say nothing about which request they answer: lines of text, or bytes of any kind. The exchange sends one
 * request at a time, and the next frame is its reply.
 */

import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol } from "./protocol.ts";

export const text: Protocol = {
  name: "text",
  correlation: "order",
  accepts: "any",
  maxId: Number.MAX_SAFE_INTEGER,
  encode,
  decode,
};

function encode(message: Body): Encoded {
  if (message.length === 0) throw new InvalidMessage("shape", "the body is empty");
  return { frame: message, expectsReply: true };
}

/**
 * Every frame may be a reply, and its id means nothing: whose reply it is, or that nobody waits and it came unasked, only
 * the exchange's lane can tell.
 */
function decode(frame: Body): Decoded {
  return { type: "reply", id: 0, render: () => frame };
}
