/**
 * Skeletons of large JSON texts: the text without its large values, which is read and edited in place of the whole.
 *
 * A large frame stays bytes that way. Making text of a megabyte, checking it, and making bytes of it again costs ten
 * times as much as finding the one number in it that is to be exchanged.
 */

import { concatenated, positionOf, textFrom } from "./bytes.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
} from "./json-check.ts";
import { isCloser, isOpener } from "./json-text.ts";
import { inSteps } from "./outline.ts";

/** A shorter value stays in the skeleton. */
const LARGE_VALUE_BYTES = 1_024;
/** The most large values, and the most bytes of all that stays: a text with more is read as a whole. */
const LARGE_VALUES_MAX = 64;
const KEPT_BYTES_MAX = 16 * 1_024;
/** The longest mark of a stand-in. */
const MARK_MAX = 16;
/** The bytes of a string that are looked at one by one before the runtime searches for its end. */
const SHORT_STRING = 64;

const TAB = 0x09;

/** The last bytes of values by their first ones. */
const CLOSERS: ReadonlyMap<number | undefined, number> = new Map([
  [QUOTE, QUOTE],
  [OPEN_BRACE, CLOSE_BRACE],
  [OPEN_BRACKET, CLOSE_BRACKET],
]);

/** A large value, directly within the outermost object or array. */
interface Large {
  readonly start: number;
  readonly end: number;
}

export interface Skeleton {
  /** JSON if the whole is, except that nothing has been checked within the large values but their ends. */
  readonly text: string;
  /**
   * Puts the large values back into a text that was made of the skeleton's. Undefined if it does not have each of
   * their stand-ins once, in their order.
   */
  expand(edited: string): Uint8Array | undefined;
}

/**
 * Finds the skeleton of a large text, and yields where other work may be done.
 * @param looksInto the keys of members, or the positions of elements, that stay whole however large they are
 * @returns undefined if the text has none: what is large in it must stay, or it cannot be JSON
 */
export function* skeletonInSteps(
  bytes: Uint8Array,
  looksInto: ReadonlySet<string>,
): Generator<undefined, Skeleton | undefined> {
  const skim = new Skim(bytes, looksInto);
  yield* inSteps(skim);
  return skim.large === undefined ? undefined : skeletonOf(bytes, skim.large);
}

function skeletonOf(bytes: Uint8Array, large: readonly Large[]): Skeleton | undefined {
  const kept: string[] = [];
  let keptBytes = bytes.byteLength;
  for (const { start, end } of large) keptBytes -= end - start;
  if (keptBytes > KEPT_BYTES_MAX) return undefined;
  let at = 0;
  for (const { start, end } of large) {
    kept.push(textFrom(bytes.subarray(at, start)));
    at = end;
  }
  const last = textFrom(bytes.subarray(at));
  const mark = unusedIn([...kept, last]);
  if (mark.length > MARK_MAX) return undefined;
  const standIns = large.map(({ start }, index) => standIn(bytes[start] as number, `${mark}${index}`));
  const text = `${kept.map((piece, index) => piece + standIns[index]).join("")}${last}`;
  return { text, expand: (edited) => expanded(edited, standIns, mark, bytes, large) };
}

/** One more `~` than are anywhere in the pieces in a row. */
function unusedIn(pieces: readonly string[]): string {
  let longest = 0;
  for (const piece of pieces) for (const [run] of piece.matchAll(/~+/g)) longest = Math.max(longest, run.length);
  return "~".repeat(longest + 1);
}

/** A short value of the same kind as the large one that begins with `first`. */
function standIn(first: number, name: string): string {
  if (first === QUOTE) return `"${name}"`;
  return first === OPEN_BRACE ? `{"${name}":0}` : `["${name}"]`;
}

function expanded(
  edited: string,
  standIns: readonly string[],
  mark: string,
  bytes: Uint8Array,
  large: readonly Large[],
): Uint8Array | undefined {
  // A caller's own id, which was put in, may have the mark as well.
  if (edited.split(mark).length !== standIns.length + 1) return undefined;
  const pieces: (string | Uint8Array)[] = [];
  let at = 0;
  for (const [index, { start, end }] of large.entries()) {
    const name = standIns[index] as string;
    const found = edited.indexOf(name, at);
    if (found < 0) return undefined;
    pieces.push(edited.slice(at, found), bytes.subarray(start, end));
    at = found + name.length;
  }
  return concatenated([...pieces, edited.slice(at)]);
}

/** How many levels deeper each byte leads, outside of strings. Looking it up is faster than comparing. */
const DEEPER = new Int8Array(256);
for (const opener of "{[") DEEPER[opener.charCodeAt(0)] = 1;
for (const closer of "}]") DEEPER[closer.charCodeAt(0)] = -1;

/** Finds the large values of a text, from one string or bracket to the next. */
class Skim {
  /** The values; undefined if the text cannot be JSON, or none may be taken out. */
  large: Large[] | undefined;
  readonly #bytes: Uint8Array;
  readonly #looksInto: ReadonlySet<string>;
  #at = 0;
  #depth = 0;
  #isArray = false;
  /** The position of the next element, in an array. */
  #position = 0;
  /** The key of the next value, in an object. */
  #key: string | undefined;
  /** The start of the value directly within the outermost object or array that is being passed. */
  #start = 0;
  #inString = false;

  constructor(bytes: Uint8Array, looksInto: ReadonlySet<string>) {
    this.#bytes = bytes;
    this.#looksInto = looksInto;
    this.#open();
  }

  #open(): void {
    const start = skipSpace(this.#bytes, 0);
    const first = this.#bytes[start] ?? 0;
    this.#at = isOpener(first) ? start + 1 : this.#bytes.length;
    if (isOpener(first)) this.large = [];
    this.#isArray = first === OPEN_BRACKET;
    this.#depth = 1;
  }

  /** Goes on to the end, or the position `until`. @returns true at the end */
  run(until: number): boolean {
    const bytes = this.#bytes;
    const stop = Math.min(until, bytes.length);
    let at = this.#at;
    let depth = this.#depth;
    while (at < stop && depth > 0) {
      if (this.#inString) {
        at = this.#pastString(at, stop);
        if (!this.#inString && depth === 1) at = this.#stringEnded(at);
        continue;
      }
      if (depth > 1) {
        while (at < stop && depth > 1 && bytes[at] !== QUOTE) depth += DEEPER[bytes[at++] as number] as number;
        if (depth === 1) this.#valueEnded(at);
        else if (at < stop) {
          this.#inString = true;
          at += 1;
        }
        continue;
      }
      const code = bytes[at++] as number;
      if (code === QUOTE) {
        this.#start = at - 1;
        this.#inString = true;
      } else if (isOpener(code)) {
        this.#start = at - 1;
        depth += 1;
      } else if (isCloser(code)) {
        depth -= 1;
      } else if (code === COMMA) {
        this.#position += 1;
      }
    }
    this.#at = at;
    this.#depth = depth;
    if (depth > 0 && at < bytes.length) return false;
    if (depth > 0 || this.large?.length === 0) this.large = undefined;
    return true;
  }

  /** @returns the position after the string, or where to go on with it */
  #pastString(from: number, stop: number): number {
    const bytes = this.#bytes;
    let at = from;
    let long = from + SHORT_STRING;
    while (at < stop) {
      const code = bytes[at];
      if (code === QUOTE) {
        this.#inString = false;
        return at + 1;
      }
      at += code === BACKSLASH ? 2 : 1;
      if (code === BACKSLASH) long = at + SHORT_STRING;
      else if (at >= long) {
        at = this.#nextQuote(at);
        long = at + SHORT_STRING;
      }
    }
    return at;
  }

  /** The next quote that no backslash precedes; or the position after it, if one does; or the end. */
  #nextQuote(from: number): number {
    const quote = positionOf(this.#bytes, '"', from);
    if (quote < 0) return this.#bytes.length;
    let run = quote;
    while (run > from && this.#bytes[run - 1] === BACKSLASH) run -= 1;
    return (quote - run) % 2 === 0 ? quote : quote + 1;
  }

  /** @returns the position after the string, and after the colon if it was a key */
  #stringEnded(end: number): number {
    if (this.#isArray) this.#valueEnded(end);
    else {
      const next = skipSpace(this.#bytes, end);
      if (this.#bytes[next] !== COLON) this.#valueEnded(end);
      else {
        this.#key = textFrom(this.#bytes.subarray(this.#start + 1, end - 1));
        return next + 1;
      }
    }
    return end;
  }

  #valueEnded(end: number): void {
    const start = this.#start;
    if (end - start < LARGE_VALUE_BYTES) return;
    const name = this.#isArray ? String(this.#position) : this.#key;
    // A key with an escape may be any.
    if (name === undefined || name.includes("\\") || this.#looksInto.has(name)) return;
    const isWhole = CLOSERS.get(this.#bytes[start]) === this.#bytes[end - 1];
    if (!isWhole || this.large?.push({ start, end }) === LARGE_VALUES_MAX) this.large = undefined;
  }
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at] as number)) at += 1;
  return at;
}

function isSpace(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= 0x0d && code !== 0x0b && code !== 0x0c);
}
