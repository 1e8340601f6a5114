/**
 * Protocol for lines of text or bytes that name no request: one request is sent at a time, and the next frame is its
 * reply.
 *
 * text-by-order.ts has the protocol with rules for replies, text-ids.ts the one for lines that carry an id.
 */

import { concatenated } from "./bytes.ts";
import type { Condition } from "./condition.ts";
import type { Final } from "./frame-rules.ts";
import type { IdKind } from "./id-kinds.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol } from "./protocol.ts";
import type { ErrorRule } from "./unnamed-errors.ts";

/**
 * Options of the `text` preset. Without `id` no frame names a request; without the rules either, every frame is a
 * reply. With `id` the rules are for frames with our id.
 */
export interface TextOptions {
  readonly id?: TextIds | undefined;
  /** A frame that does not meet this is a message, not a reply. */
  readonly reply?: Condition | undefined;
  /** Frames that precede the reply. They are handed on as messages. */
  readonly skip?: readonly Condition[] | undefined;
  /** The end of a request. Frames before it are skipped, or with `collect` are parts of the reply. */
  readonly final?: Final<Condition> | undefined;
  /** Makes the reply all frames up to the final one, joined by line breaks; `frames` bounds their number. */
  readonly collect?: { readonly frames?: number | undefined } | undefined;
  /** The frame that ends a request which nobody reads any more; with ids, `$id` stands where its id goes. */
  readonly cancel?: string | undefined;
  /** Frames without an id that are errors. */
  readonly errors?: ErrorRule | undefined;
}

/** True if there is a rule by which frames are told apart. */
export function hasTextRules({ reply, skip, final }: TextOptions): boolean {
  return reply !== undefined || skip !== undefined || final !== undefined;
}

export interface TextIds {
  /**
   * The place of the id in a request: a template with `$id` and `$message`; or a pattern whose group `id` finds the
   * caller's own id, which ours replaces.
   */
  readonly out: string;
  /**
   * A pattern (RE2's) whose group `id` finds the id in a reply. A caller that sent no id gets the reply without it, or
   * without the group `cut` around it.
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
  takesEveryFrame: true,
  encode,
  decode,
};

export function encode(message: Body): Encoded {
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

/** The place of the id in `cancel`. */
const ID_PLACE = /\$id(?!\w)/g;

/** True if `cancel` has a place for the id. */
export function namesRequest(cancel: string): boolean {
  return cancel.search(ID_PLACE) >= 0;
}

/** The members of a protocol whose requests can be ended. */
export function ending({ cancel }: TextOptions): Pick<Protocol, "cancel"> {
  return cancel === undefined ? {} : { cancel: (id) => cancel.replace(ID_PLACE, () => String(id)) };
}

/** The members of a protocol whose replies may have several frames. */
export function several({ collect }: TextOptions): Pick<Protocol, "streams" | "maxFrames"> {
  return { streams: collect !== undefined, maxFrames: collect?.frames };
}

/** Joins the frames of a reply: text by line breaks, anything with bytes in it as it is. */
export function gather(frames: readonly Body[]): Body {
  const texts = frames.filter((frame) => typeof frame === "string");
  return texts.length === frames.length ? texts.join("\n") : concatenated(frames);
}
