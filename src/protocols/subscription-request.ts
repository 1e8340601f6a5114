/** The messages of a subscription, and a check that its protocol can send them. */

import { isJson } from "./json-message.ts";
import { textOfScalar } from "./json-text.ts";
import { type Encoded, InvalidMessage, type Protocol, type SendRoute } from "./protocol.ts";

/** The placeholder for the upstream's id in conditions and in `unsubscribe`. */
export const ID = "$id";
/** The placeholder in `cancel` for the upstream's own id of a reply. */
const ALIAS = "$alias";

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

/** The places of an id in a text that is no JSON. */
const IN_TEXT = /\$(?:id|alias)(?!\w)/g;

/** The strings of a JSON text, and with each the colon that makes it a name. */
export const STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/**
 * Returns the message that ends a subscription. The id is put into JSON as the upstream wrote it: a parsed one beyond
 * 2^53 would be another. Into a text that is no JSON it is put as a part of it.
 * @param id as JSON, as is the alias
 */
export function endMessage(unsubscribe: unknown, id: string, alias = `"${ALIAS}"`): string {
  const message = messageText(unsubscribe);
  if (typeof unsubscribe === "string" && !isJson(message))
    return message.replace(IN_TEXT, (found) => textOfScalar(found === ID ? id : alias));
  const values: Readonly<Record<string, string>> = { [`"${ID}"`]: id, [`"${ALIAS}"`]: alias };
  return message.replace(STRINGS, (found, colon) => (colon === undefined && values[found]) || found);
}

/** True if a message that ends a request has the upstream's own id of its reply in it. */
export function needsAlias(cancel: unknown): boolean {
  return endMessage(cancel, "0", "0") !== endMessage(cancel, "0", "1");
}

/** True if `unsubscribe`, if any, has the upstream's id in it. */
export function needsIdToSend(unsubscribe: unknown): boolean {
  return unsubscribe !== undefined && endMessage(unsubscribe, "0") !== endMessage(unsubscribe, "1");
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
    const unsubscribe = encoded(protocol, settings.unsubscribe, "send");
    if ("why" in unsubscribe)
      found.push({ path: [name, "unsubscribe"], what: `can never be sent: ${unsubscribe.why}` });
    return found;
  });
}

function encoded(
  protocol: Pick<Protocol, "encode">,
  message: unknown,
  route: SendRoute,
): Encoded | { readonly why: string } {
  try {
    return protocol.encode(messageText(message), 0, route);
  } catch (error) {
    if (error instanceof InvalidMessage) return { why: error.message };
    throw error;
  }
}
