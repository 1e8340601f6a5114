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

  function encode(message: Body, id: number, route: SendRoute, connection?: number): Encoded {
    if (typeof message === "string") return protocol.encode(message, id, route, connection);
    if (wrap && route !== "send") throw new InvalidMessage("shape", "bytes have no reply: use /send");
    if (wrap) return { frame: wrap(message), expectsReply: false, unanswered: true };
    if (route === "send") return { frame: message, expectsReply: false, unanswered: true };
    if (protocol.correlation === "order") return { frame: message, expectsReply: true };
    throw new InvalidMessage("shape", "bytes have no place for an id, and so no reply: use /send");
  }

  function decode(frame: Body, connection?: number): Decoded {
    if (typeof frame === "string" || binary === undefined) return protocol.decode(frame, connection);
    if (!isPart) return { type: "message" };
    const of = (id: number | string) => ({ type: "part" as const, id, render: () => frame });
    return { type: "aliased", alias: "", of, otherwise: { type: "message" } };
  }

  const { split: itemsOf } = protocol;
  // Bytes are no batch, whatever they could be read as.
  const split = (message: Body, max: number) => (typeof message === "string" ? itemsOf?.(message, max) : undefined);
  return {
    ...protocol,
    ...(isPart && { bytes: true as const }),
    ...(itemsOf && { split }),
    binary: true,
    encode,
    decode,
  };
}
