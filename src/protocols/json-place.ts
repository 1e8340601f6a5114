/**
 * Places in JSON text: the value that a pointer leads to.
 *
 * The text must have passed `check`. One walk from the text's beginning to its end finds the place, however deep it is:
 * looking for each token in what the token before has found would scan the same text once for each of them.
 */

import { COMMA, OPEN_BRACKET, QUOTE, type Span, skipSpace, stringEnd } from "./json-check.ts";
import { isCloser, isOpener, kindOf, stringAt, valueEnd } from "./json-text.ts";
import { inSteps, LOOKED_AT_MAX, type Outline, outlineOf } from "./outline.ts";

/** The tokens of a JSON pointer (RFC 6901). */
export type Pointer = readonly string[];

/** The result of following a pointer. */
export type Place =
  /**
   * `holder` is the object with the value as its member `key`; undefined for an array element and for the whole text.
   */
  | {
      readonly type: "found";
      readonly value: Span;
      readonly holder: { readonly object: Span; readonly key: string } | undefined;
    }
  /** The object `parent` has no member `rest[0]`. */
  | { readonly type: "missing"; readonly parent: Span; readonly rest: Pointer }
  /**
   * A scalar, or an array without that element, is in the way: `value`, in which `rest[0]` was looked for. In a large
   * text whose outline is known, so is an object or array in which too much would have to be looked at.
   */
  | { readonly type: "blocked"; readonly value: Span; readonly rest: Pointer }
  /** An object on the way has `key` twice. Parsers differ in which one they take, so it must not carry an id. */
  | { readonly type: "duplicate"; readonly key: string };

/** Parses a pointer such as `/params/id`. Throws an Error with the fault if it is invalid. */
export function parsePointer(pointer: string): Pointer {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw new Error(`"${pointer}" is not a JSON pointer: it must begin with "/"`);
  if (/~(?![01])/.test(pointer)) throw new Error(`"${pointer}" is not a JSON pointer: write "~0" for "~"`);
  const tokens = pointer.slice(1).split("/");
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Returns a pointer in its written form. */
export function pointerText(pointer: Pointer): string {
  return pointer.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Follows `pointer` from `root`. */
export function locate(text: string, root: Span, pointer: Pointer): Place {
  const walk = new Walk(text, root, pointer);
  walk.run(Number.POSITIVE_INFINITY);
  return walk.place;
}

/** Follows `pointer` from `root`, and yields where other work may be done. */
export function* locateInSteps(text: string, root: Span, pointer: Pointer): Generator<undefined, Place> {
  const walk = new Walk(text, root, pointer);
  yield* inSteps(walk);
  return walk.place;
}

/** A container on the way. */
interface Level {
  readonly start: number;
  readonly isArray: boolean;
  /** The token that is looked for in it. */
  readonly token: string;
  /** In an array, the number of elements before the wanted one; negative if there is none, or none any more. */
  before: number;
  /** True once the wanted member or element has begun. */
  met: boolean;
}

/** Follows a pointer step by step, for a text that takes too long at once. */
export class Walk {
  readonly #text: string;
  readonly #pointer: Pointer;
  readonly #outline: Outline | undefined;
  /** The members and elements that were looked at. */
  #lookedAt = 0;
  readonly #levels: Level[] = [];
  /** How many of the levels are objects: in these, what follows may be a second member with the same key. */
  #objects = 0;
  #at: number;
  /** The number of containers that are open in a value that is skipped. */
  #skipped = 0;
  /** The start of the wanted value, while it is skipped. */
  #wanted = -1;
  #place: Place | undefined;
  #done = false;

  constructor(text: string, root: Span, pointer: Pointer) {
    this.#text = text;
    this.#outline = outlineOf(text);
    this.#pointer = pointer;
    this.#at = root.start;
    if (pointer.length > 0) {
      this.#enter(root.start);
    } else {
      this.#place = { type: "found", value: root, holder: undefined };
      this.#done = true;
    }
  }

  /** The result, once `run` has returned true. */
  get place(): Place {
    if (!this.#done || this.#place === undefined) throw new RangeError("the walk has not ended");
    return this.#place;
  }

  /** Goes on until the end, or the position `until`. @returns true at the end */
  run(until: number): boolean {
    while (!this.#done) {
      if (this.#skipped > 0) this.#skip(until);
      else if (this.#at < until) this.#step(this.#levels.at(-1) as Level);
      if (this.#at >= until) break;
    }
    return this.#done;
  }

  /** Goes into a value on the way, or over the wanted one. */
  #enter(start: number): void {
    const depth = this.#levels.length;
    const token = this.#pointer[depth];
    const code = this.#text.charCodeAt(start);
    if (token === undefined) {
      this.#wanted = start;
      this.#pass(start);
    } else if (isOpener(code)) {
      const isArray = code === OPEN_BRACKET;
      if (!isArray) this.#objects++;
      this.#levels.push({ start, isArray, token, before: isArray ? indexOf(token) : -1, met: false });
      this.#at = skipSpace(this.#text, start + 1);
    } else {
      const value = { start, end: valueEnd(this.#text, start) };
      this.#place = { type: "blocked", value, rest: this.#pointer.slice(depth) };
      this.#onValueEnd(value.end);
    }
  }

  /** Takes one member or element of the innermost level, or its end. */
  #step(level: Level): void {
    const text = this.#text;
    const at = this.#at;
    if (at >= text.length) unchecked();
    if (this.#outline !== undefined && ++this.#lookedAt > LOOKED_AT_MAX) this.#giveUp(this.#outline, level);
    else if (isCloser(text.charCodeAt(at))) this.#leave(level, at + 1);
    else if (!level.isArray) this.#stepMember(level, at);
    else if (level.before-- !== 0) this.#pass(at);
    else this.#meet(level, at);
  }

  #giveUp({ ends }: Outline, { start }: Level): void {
    const value = { start, end: ends.get(start) ?? start };
    this.#place = { type: "blocked", value, rest: this.#pointer.slice(this.#levels.length - 1) };
    this.#done = true;
  }

  #stepMember(level: Level, at: number): void {
    const text = this.#text;
    const name = { start: at, end: stringEnd(text, at) ?? unchecked() };
    const value = skipSpace(text, skipSpace(text, name.end) + 1);
    const isWanted = stringAt(text, name) === level.token;
    if (isWanted && !level.met) {
      this.#meet(level, value);
      return;
    }
    if (isWanted) this.#place = { type: "duplicate", key: level.token };
    if (isWanted && this.#objects === 1) this.#done = true;
    else this.#pass(value);
  }

  #meet(level: Level, value: number): void {
    level.met = true;
    this.#enter(value);
  }

  /** Goes over a value. */
  #pass(start: number): void {
    if (isOpener(this.#text.charCodeAt(start))) {
      const end = this.#outline?.ends.get(start);
      if (end !== undefined) {
        this.#onValueEnd(end);
        return;
      }
      this.#skipped = 1;
      this.#at = start + 1;
    } else {
      this.#onValueEnd(valueEnd(this.#text, start));
    }
  }

  #skip(until: number): void {
    const text = this.#text;
    const end = Math.min(until, text.length);
    let at = this.#at;
    for (; at < end; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        at = (stringEnd(text, at) ?? unchecked()) - 1;
      } else if (isOpener(code)) {
        this.#skipped++;
      } else if (isCloser(code) && --this.#skipped === 0) {
        this.#onValueEnd(at + 1);
        return;
      }
    }
    if (at >= text.length) unchecked();
    this.#at = at;
  }

  #leave(level: Level, end: number): void {
    this.#levels.pop();
    if (!level.isArray) this.#objects--;
    const { start, token, met, isArray } = level;
    const depth = this.#levels.length;
    const span = { start, end };
    if (!met) {
      const rest = this.#pointer.slice(depth);
      this.#place = isArray ? { type: "blocked", value: span, rest } : { type: "missing", parent: span, rest };
    } else if (this.#place?.type === "found" && depth === this.#pointer.length - 1 && !isArray) {
      this.#place = { ...this.#place, holder: { object: span, key: token } };
    }
    this.#onValueEnd(end);
  }

  /** A value inside the innermost level has ended, or the whole text. */
  #onValueEnd(end: number): void {
    if (this.#wanted >= 0) {
      this.#place = { type: "found", value: { start: this.#wanted, end }, holder: undefined };
      this.#wanted = -1;
    }
    this.#done = this.#place !== undefined && this.#objects === 0;
    const at = skipSpace(this.#text, end);
    this.#at = this.#text.charCodeAt(at) === COMMA ? skipSpace(this.#text, at + 1) : at;
  }
}

/** The index that a token stands for; -1 if it is none. */
function indexOf(token: string): number {
  return /^(?:0|[1-9]\d*)$/.test(token) ? Number(token) : -1;
}

function unchecked(): never {
  throw new RangeError("the text is not JSON: it must have passed `check`");
}

/** Returns the string at a place of a text that was checked before; undefined if there is none. */
export function stringIn(text: string, root: Span, pointer: Pointer): string | undefined {
  const place = locate(text, root, pointer);
  return place.type === "found" && kindOf(text, place.value) === "string" ? stringAt(text, place.value) : undefined;
}
