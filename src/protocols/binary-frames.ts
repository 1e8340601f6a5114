/** Binary frames beside JSON, which every preset of JSON takes: bytes up and down that are no JSON. */

import type { FrameOptions } from "./frames.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol, type SendRoute } from "./protocol.ts";

/**
 * Adds the settings' `frames.binary` to a protocol, before all that it does itself; and bytes of callers, where the
 * protocol has a message for them.
 */
export function withBinaryFrames(protocol: Protocol, options: FrameOptions | undefined): Protocol {
  const { binary } = options ?? {};
  const { wrap } = protocol;
  if (binary === undefined && wrap === undefined) return protocol;
  const isPart = binary === "parts";

  function encode(message: Body, id: number, route: SendRoute): Encoded {
    if (typeof message === "string") return protocol.encode(message, id, route);
    if (wrap) return { frame: wrap(message), expectsReply: false, unanswered: true };
    if (route === "send") return { frame: message, expectsReply: false, unanswered: true };
    if (protocol.correlation === "order") return { frame: message, expectsReply: true };
    throw new InvalidMessage("shape", "bytes have no place for an id, and so no reply: use /send");
  }

  function decode(frame: Body): Decoded {
    if (typeof frame === "string" || binary === undefined) return protocol.decode(frame);
    if (!isPart) return { type: "message" };
    const of = (id: number | string) => ({ type: "part" as const, id, render: () => frame });
    return { type: "aliased", alias: "", of, otherwise: { type: "message" } };
  }

  return { ...protocol, ...(isPart && { bytes: true as const }), binary: true, encode, decode };
}
