/** Readers that the JSON protocols share: for callers' messages, upstreams' frames, and ids. */

import { base64Of } from "./bytes.ts";
import { check, JsonFault, type MemberSink, OPEN_BRACE, type Span, skipSpace } from "./json-check.ts";
import { members } from "./json-text.ts";
import { LOOKED_AT_MAX, type Outline, outlineOf } from "./outline.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

/** A JSON text and the span of its value. */
export interface Json {
  readonly text: string;
  readonly root: Span;
}

/**
 * The deepest nesting of arrays and objects in a caller's message. Real requests stay below 10. A deep one crashes an
 * upstream that parses by recursion, and with it the socket that all callers share.
 */
export const MAX_MESSAGE_DEPTH = 64;

/** Keeps a byte order mark, so that it is a fault in bytes as it is in text. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Returns the text of a body; undefined if its bytes are not UTF-8. */
export function textOf(body: Body): string | undefined {
  if (typeof body === "string") return body;
  try {
    return utf8.decode(body);
  } catch {
    return undefined;
  }
}

/** Returns `text` in the form of `like`: a binary frame stays bytes. */
export function inKindOf(like: Body, text: string): Body {
  return typeof like === "string" ? text : encoder.encode(text);
}

/** Frames as one JSON array: texts of JSON as they are, and bytes in base64, as elsewhere in JSON. */
export function jsonArrayOf(frames: readonly Body[]): string {
  return `[${frames.map((frame) => (typeof frame === "string" ? frame : bytesJson(frame))).join(",")}]`;
}

function bytesJson(bytes: Uint8Array): string {
  return `{"encoding":"base64","data":"${base64Of(bytes)}"}`;
}

/** Reads a caller's message. Throws {@link InvalidMessage} of kind `parse`. */
export function readMessage(message: Body, maxDepth = MAX_MESSAGE_DEPTH, sink?: MemberSink): Json {
  const json = read(message, maxDepth, sink);
  if ("why" in json) throw new InvalidMessage("parse", `the message is not usable JSON: ${json.why}`);
  return json;
}

/** An upstream's frame, or the reason why it is not JSON. */
export type ReadFrame = Json | { readonly why: string };

/** Reads an upstream's frame, however deep. */
export function readFrame(frame: Body, sink?: MemberSink): ReadFrame {
  const outline = typeof frame === "string" ? outlineOf(frame) : undefined;
  if (outline !== undefined) return readOutlined(outline, sink);
  return read(frame, Number.POSITIVE_INFINITY, sink);
}

/** Reads a large text that was checked before. */
function readOutlined({ text, root }: Outline, sink: MemberSink | undefined): Json | { readonly why: string } {
  if ("why" in root) return root;
  if (sink === undefined || text.charCodeAt(root.start) !== OPEN_BRACE) return { text, root };
  let count = 0;
  for (const { name, value } of members(text, root)) {
    if (++count > LOOKED_AT_MAX) return { why: `it is large and its object has more than ${LOOKED_AT_MAX} members` };
    sink.member(text, name.start, value.start, value.end);
  }
  return { text, root };
}

/** Wraps a text that was checked before and is known to be one JSON value. */
export function checkedJson(text: string): Json {
  return { text, root: { start: skipSpace(text, 0), end: text.trimEnd().length } };
}

/** True if a text is one JSON value. */
export function isJson(text: string): boolean {
  return !("why" in readFrame(text));
}

/**
 * True if readers get a text as JSON. In a dialect of text only an object or an array is: a line such as `42` or `true`
 * is as much a text as the ones before and after it.
 */
export function isJsonTo(accepts: "json" | "any", text: string): boolean {
  return (accepts === "json" || mayBeStructure(text)) && isJson(text);
}

/** True if a text begins as an object or an array does, after some white space at most. */
export function mayBeStructure(text: string): boolean {
  return /^\s{0,1024}[[{]/.test(text);
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
 * The longest number whose double is exact enough to be an id. Longer ones may lie so near to an integer that a double
 * cannot distinguish them (9007199254740991.4 has 18 characters); within the limit only zero has such neighbours
 * (1e-400).
 */
const EXACT_CHARACTERS = 17;

/**
 * Reads the source of a JSON number as an id, 7.0 and 7e0 included, as some upstreams print 7. Undefined if not one of
 * ours.
 */
export function idOf(written: string): number | undefined {
  if (written.length > EXACT_CHARACTERS || written.startsWith("-")) return undefined;
  const id = Number(written);
  if (id === 0 && !/^0(?:\.0+)?(?:[eE]|$)/.test(written)) return undefined;
  return Number.isSafeInteger(id) ? id : undefined;
}

/** Returns a kind of value with its article, for a sentence. */
export function nameOf(kind: string): string {
  if (kind === "null") return "null";
  return /^[ao]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
