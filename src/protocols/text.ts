/**
 * Frames that say nothing about which request they answer: lines of text, or bytes of any kind. The exchange sends one
 * request at a time, and the next frame is its reply. Where lines do say it, text-ids.ts reads them.
 */

import type { ErrorDeed } from "./json.ts";
import type { IdKind } from "./json-id.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol } from "./protocol.ts";

/** Without `id` nothing names the request, and the other rules have no place. Patterns are regular expressions as RE2 has them. */
export interface TextOptions {
  readonly id?: TextIds | undefined;
  /** Frames with our id that come before the reply: messages. */
  readonly skip?: readonly string[] | undefined;
  /** Frames that end a request; what comes before one is skipped. */
  readonly final?: readonly string[] | undefined;
  /** Frames without an id that are errors. */
  readonly errors?: { readonly when: string; readonly do: ErrorDeed } | undefined;
}

export interface TextIds {
  /**
   * How the id goes out: a template with `$id` and `$message`; or a pattern whose group `id` finds the caller's own in its
   * message, where ours is put.
   */
  readonly out: string;
  /** How it comes back: a pattern whose group `id` finds it. A caller that gave none gets the reply without the whole match. */
  readonly in: string;
  /** `int` unless given. */
  readonly kind?: (typeof TEXT_ID_KINDS)[number] | undefined;
}

/** In text an integer and its digits are the same. */
export const TEXT_ID_KINDS = ["int", "int32", "increasing", "keep"] as const satisfies readonly IdKind[];

/** What stands in a template for the id and for what the caller wrote. */
export const PLACES = /\$(id|message)(?!\w)/g;

/** Which places a template has, by name: `id message` when it has each once. */
export function templatePlaces(out: string): string {
  return Array.from(out.matchAll(PLACES), ([, name]) => name)
    .sort()
    .join(" ");
}

/** No pattern can have `$id`: nothing comes after the end. */
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
 * Every frame may be a reply, and its id means nothing: whose reply it is, or that nobody waits and it came unasked, only
 * the exchange's lane can tell.
 */
function decode(frame: Body): Decoded {
  return { type: "reply", id: 0, render: () => frame };
}
