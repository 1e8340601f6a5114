/**
 * Protocol for lines of text or bytes that name no request: one request is sent at a time, and the next frame is its
 * reply.
 *
 * text-ids.ts has the protocol for lines that carry an id.
 */

import type { IdKind } from "./id-kinds.ts";
import type { ErrorDeed } from "./json.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol } from "./protocol.ts";

/**
 * Options of the `text` preset. Without `id` no frame names a request, and the other options are not allowed. Patterns
 * are RE2's.
 */
export interface TextOptions {
  readonly id?: TextIds | undefined;
  /** Frames with our id that precede the reply. They are handed on as messages. */
  readonly skip?: readonly string[] | undefined;
  /** Frames that end a request; frames before one are skipped. */
  readonly final?: readonly string[] | undefined;
  /** Frames without an id that are errors. */
  readonly errors?: { readonly when: string; readonly do: ErrorDeed } | undefined;
}

export interface TextIds {
  /**
   * The place of the id in a request: a template with `$id` and `$message`; or a pattern whose group `id` finds the
   * caller's own id, which ours replaces.
   */
  readonly out: string;
  /**
   * A pattern whose group `id` finds the id in a reply. A caller that sent no id gets the reply without the whole
   * match.
   */
  readonly in: string;
  /** By default `int`. */
  readonly kind?: (typeof TEXT_ID_KINDS)[number] | undefined;
}

/** There is no `string`: in text, an integer and its digits are the same. */
export const TEXT_ID_KINDS = ["int", "int32", "increasing", "keep"] as const satisfies readonly IdKind[];

/** The placeholders of a template: for the id, and for the caller's message. */
export const PLACES = /\$(id|message)(?!\w)/g;

/** Returns the names of a template's placeholders in order: `id message` if it has each once. */
export function templatePlaces(out: string): string {
  return Array.from(out.matchAll(PLACES), ([, name]) => name)
    .sort()
    .join(" ");
}

/** Distinguishes a template from a pattern, in which `$id` could never match: nothing follows the end. */
export function isTemplate(out: string): boolean {
  return out.search(PLACES) >= 0;
}

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
 * Every frame may be a reply, and its id has no meaning: the exchange correlates by order, and knows whether the frame
 * is the reply to its request or an unsolicited message.
 */
function decode(frame: Body): Decoded {
  return { type: "reply", id: 0, render: () => frame };
}
