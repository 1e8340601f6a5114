/** What the JSON dialects share: reading what callers and upstreams say, and reading ids back. */

import { check, JsonFault, type MemberSink, type Span, skipSpace } from "./json-check.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

/** A text that is JSON, and where its value stands. */
export interface Json {
  readonly text: string;
  readonly root: Span;
}

/**
 * How deep a caller may nest arrays and objects. Real calls stay under ten; upstreams that parse by recursion
 * fall over a deep one, and would take the socket that all callers share with them.
 */
export const MAX_MESSAGE_DEPTH = 64;

/** A byte order mark is kept, so that it is a fault in bytes as it is in text. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of a body; undefined when its bytes are not UTF-8. */
export function textOf(body: Body): string | undefined {
  if (typeof body === "string") return body;
  try {
    return utf8.decode(body);
  } catch {
    return undefined;
  }
}

/** `text` in the form that `like` came in: a reply to a binary frame stays bytes. */
export function inKindOf(like: Body, text: string): Body {
  return typeof like === "string" ? text : encoder.encode(text);
}

/** Reads a caller's message. Throws {@link InvalidMessage} of kind `parse`. */
export function readMessage(message: Body, maxDepth = MAX_MESSAGE_DEPTH, sink?: MemberSink): Json {
  const json = read(message, maxDepth, sink);
  if ("why" in json) throw new InvalidMessage("parse", `the message is not usable JSON: ${json.why}`);
  return json;
}

/** Reads an upstream's frame, however deep, or says why it is not JSON. */
export function readFrame(frame: Body, sink?: MemberSink): Json | { readonly why: string } {
  return read(frame, Number.POSITIVE_INFINITY, sink);
}

/** A text that was checked before and is known to be one JSON value. */
export function checkedJson(text: string): Json {
  return { text, root: { start: skipSpace(text, 0), end: text.trimEnd().length } };
}

/** Whether a text is one JSON value. */
export function isJson(text: string): boolean {
  return !("why" in readFrame(text));
}

function read(body: Body, maxDepth: number, sink: MemberSink | undefined): Json | { readonly why: string } {
  const text = textOf(body);
  if (text === undefined) return { why: "the bytes are not UTF-8" };
  try {
    return { text, root: check(text, maxDepth, sink) };
  } catch (error) {
    if (error instanceof JsonFault) return { why: error.message };
    throw error;
  }
}

/**
 * With more characters a written number may lie so near to an integer that a double cannot tell them apart
 * (9007199254740991.4 has 18). With up to this many only zero has such neighbours (1e-400).
 */
const EXACT_CHARACTERS = 17;

/** The id that a JSON number writes: 7, and 7.0 or 7e0 too, as some upstreams print. Undefined when it is none of ours. */
export function idOf(written: string): number | undefined {
  if (written.length > EXACT_CHARACTERS || written.startsWith("-")) return undefined;
  const id = Number(written);
  if (id === 0 && !/^0(?:\.0+)?(?:[eE]|$)/.test(written)) return undefined;
  return Number.isSafeInteger(id) ? id : undefined;
}

/** A value's name in a sentence. */
export function nameOf(kind: string): string {
  if (kind === "null") return "null";
  return /^[ao]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
