/** The messages of a subscription, and a check that its protocol can send them. */

import { type Encoded, InvalidMessage, type Mode, type Protocol } from "./protocol.ts";

/** The settings of a subscription that make its messages. */
interface Messages {
  readonly preset?: "eth_subscribe" | undefined;
  readonly params?: unknown;
  readonly request?: unknown;
  readonly unsubscribe?: unknown;
}

/** A message that the protocol refuses, so that the subscription can never work. */
export interface Unsendable {
  readonly path: readonly [name: string, key: keyof Messages];
  readonly what: string;
}

/** The message that subscribes. */
export function requestOf({ preset, params, request }: Messages): unknown {
  return preset === undefined ? request : { jsonrpc: "2.0", method: preset, params };
}

/** A message as it is sent: a text as it is, any other value as JSON. */
export function messageText(message: unknown): string {
  return typeof message === "string" ? message : JSON.stringify(message);
}

/** Finds the messages that can never be sent, or never get a reply, by encoding each of them. */
export function unsendable(
  protocol: Pick<Protocol, "encode">,
  subscriptions: Readonly<Record<string, Messages>>,
): readonly Unsendable[] {
  return Object.entries(subscriptions).flatMap(([name, settings]) => {
    const request = encoded(protocol, requestOf(settings), "request");
    const key = settings.preset === undefined ? "request" : "preset";
    const found: Unsendable[] = [];
    if ("why" in request) found.push({ path: [name, key], what: `can never be sent: ${request.why}` });
    else if (!request.expectsReply) found.push({ path: [name, key], what: "can never be agreed to: it gets no reply" });
    if (settings.unsubscribe === undefined) return found;
    const unsubscribe = encoded(protocol, settings.unsubscribe, "rpc");
    if ("why" in unsubscribe)
      found.push({ path: [name, "unsubscribe"], what: `can never be sent: ${unsubscribe.why}` });
    return found;
  });
}

function encoded(protocol: Pick<Protocol, "encode">, message: unknown, mode: Mode): Encoded | { readonly why: string } {
  try {
    return protocol.encode(messageText(message), 0, mode);
  } catch (error) {
    if (error instanceof InvalidMessage) return { why: error.message };
    throw error;
  }
}
