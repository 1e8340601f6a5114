/**
 * Validator that a text is one JSON value (RFC 8259), and reports the fault and its position if it is not.
 *
 * A scanner of our own gives the same messages on every runtime. It does not recurse, so nesting of any depth costs
 * memory and never the stack. `json-text.ts` walks the text that passed.
 */

/** A half-open range of a text, in UTF-16 code units: `text.slice(start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A syntax error in JSON. The message has the fault and its place; `position` counts UTF-16 code units from 0. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  readonly position: number;

  constructor(what: string, text: string, position: number) {
    super(`${what} at ${place(text, position)}`);
    this.position = position;
  }
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
const PLUS = 0x2b;
export const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
const SMALL_E = 0x65;
const SMALL_U = 0x75;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** No container is open. */
const NONE = 0;

/** The bits of a word: a power of two, for the sake of the remainder. */
const WORD = 16;
const WORD_MASK = 2 ** WORD - 1;

/** From this length on, the runtime's parser beats our own scan of a string: 1 ms for 10 MB instead of 25. */
const LONG_STRING = 256;

/** Receives each member of the outermost object after it was checked: in order, duplicates included. */
export interface MemberSink {
  /** `name` is the position of the key's opening quote; `start` and `end` are the value's span. */
  member(text: string, name: number, start: number, end: number): void;
}

/** The ends of the arrays and objects from a length on and down to a depth, by their starts. */
interface NotedEnds {
  readonly length: number;
  readonly depth: number;
  readonly ends: Map<number, number>;
}

/**
 * Checks that `text` is one JSON value (RFC 8259) with nothing but white space around it, and returns the value's span.
 * `maxDepth` bounds the nesting of arrays and objects. Throws {@link JsonFault}.
 */
export function check(text: string, maxDepth = Number.POSITIVE_INFINITY, sink?: MemberSink): Span {
  const checking = new Check(text, maxDepth, sink);
  checking.run(Number.POSITIVE_INFINITY);
  return checking.root;
}

/** Checks a text step by step, for one that takes too long at once. */
export class Check {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #sink: MemberSink | undefined;
  readonly #noted: NotedEnds | undefined;
  /** The starts of the open containers, as deep as their ends are noted. */
  readonly #starts: number[] = [];
  readonly #start: number;
  readonly #notedDepth: number;
  /** The number of open containers. */
  #depth = 0;
  /** A bit for each of those around the innermost one, 1 for an object: the last ones, and words of those before. */
  #objects = 0;
  readonly #words: number[] = [];
  #closer = NONE;
  #at: number;
  /** Key and value of the outermost object's newest member. */
  #name: number;
  #value: number;
  #end = -1;

  constructor(text: string, maxDepth = Number.POSITIVE_INFINITY, sink?: MemberSink, noted?: NotedEnds) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#sink = sink;
    this.#noted = noted;
    this.#notedDepth = noted?.depth ?? 0;
    const start = skipSpace(text, 0);
    this.#start = start;
    this.#at = start;
    this.#name = start;
    this.#value = start;
  }

  /** The span of the value, once `run` has returned true. */
  get root(): Span {
    return { start: this.#start, end: this.#end };
  }

  /** Goes on until the end, or the position `until`. @returns true at the end. Throws {@link JsonFault} */
  run(until: number): boolean {
    const text = this.#text;
    let closer = this.#closer;
    let depth = this.#depth;
    let at = this.#at;
    while (at < until) {
      let code = text.charCodeAt(at);
      if (closer === CLOSE_BRACE) {
        const key = at;
        at = checkKey(text, at);
        if (depth === 1) [this.#name, this.#value] = [key, at];
        code = text.charCodeAt(at);
      }
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        if (depth >= this.#maxDepth) throw new JsonFault(`nested deeper than ${this.#maxDepth} levels`, text, at);
        if (depth < this.#notedDepth) this.#starts[depth] = at;
        this.#push(depth++, closer === CLOSE_BRACE);
        closer = code === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
        code = text.charCodeAt(++at);
        if (code <= SPACE) {
          at = skipSpace(text, at);
          code = text.charCodeAt(at);
        }
        if (code !== closer) continue; // with the container's first value
        closer = this.#pop(--depth);
        at += 1;
        if (depth < this.#notedDepth) this.#note(depth, at);
      } else {
        at = checkScalar(text, at, code);
      }
      // A value ends here: close every container that it completes, up to a comma or the end.
      for (;;) {
        const end = at;
        if (depth === 1 && closer === CLOSE_BRACE) this.#sink?.member(text, this.#name, this.#value, end);
        code = text.charCodeAt(at);
        if (code <= SPACE) {
          at = skipSpace(text, at);
          code = text.charCodeAt(at);
        }
        if (closer === NONE) {
          if (at < text.length) throw new JsonFault(`expected the end, found ${found(text, at)}`, text, at);
          this.#end = end;
          return true;
        }
        if (code !== COMMA && code !== closer) {
          const wanted = `"," or "${String.fromCharCode(closer)}"`;
          throw new JsonFault(`expected ${wanted}, found ${found(text, at)}`, text, at);
        }
        at += 1;
        if (code === COMMA) break;
        closer = this.#pop(--depth);
        if (depth < this.#notedDepth) this.#note(depth, at);
      }
      if (text.charCodeAt(at) <= SPACE) at = skipSpace(text, at);
    }
    this.#closer = closer;
    this.#depth = depth;
    this.#at = at;
    return false;
  }

  #push(depth: number, isObject: boolean): void {
    if (depth % WORD === 0 && depth > 0) this.#words.push(this.#objects);
    this.#objects = ((this.#objects << 1) | Number(isObject)) & WORD_MASK;
  }

  #pop(depth: number): number {
    const isObject = (this.#objects & 1) === 1;
    this.#objects = depth % WORD === 0 && depth > 0 ? (this.#words.pop() as number) : this.#objects >> 1;
    if (depth === 0) return NONE;
    return isObject ? CLOSE_BRACE : CLOSE_BRACKET;
  }

  #note(depth: number, end: number): void {
    const start = this.#starts[depth] as number;
    if (this.#noted && end - start >= this.#noted.length) this.#noted.ends.set(start, end);
  }
}

/** Returns the position of the next character that is not white space, or the end. */
export function skipSpace(text: string, at: number): number {
  for (; ; at++) {
    const code = text.charCodeAt(at);
    // The first comparison is redundant, but nearly every call returns on it.
    if (code > SPACE || (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB)) return at;
  }
}

// Each function checks one piece of syntax at a position and returns the position after it.

/** Checks a key and its colon; returns the position of the value. */
function checkKey(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) throw new JsonFault(`expected a key, found ${found(text, at)}`, text, at);
  const colon = skipSpace(text, checkString(text, at));
  if (text.charCodeAt(colon) !== COLON) throw new JsonFault(`expected ":", found ${found(text, colon)}`, text, colon);
  return skipSpace(text, colon + 1);
}

function checkScalar(text: string, at: number, code: number): number {
  if (code === QUOTE) return checkString(text, at);
  if (code === MINUS || isDigit(code)) return checkNumber(text, at);
  for (const word of ["true", "false", "null"]) if (text.startsWith(word, at)) return at + word.length;
  throw new JsonFault(`expected a value, found ${found(text, at)}`, text, at);
}

function checkString(text: string, start: number): number {
  let long = start + LONG_STRING;
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < SPACE) throw new JsonFault(`unescaped control character ${found(text, at)} in a string`, text, at);
    if (code === BACKSLASH) at = checkEscape(text, at);
    if (at >= long) {
      const end = checkLongString(text, start);
      if (end !== undefined) return end;
      long = Number.POSITIVE_INFINITY;
    }
  }
  throw new JsonFault("unterminated string, begun", text, start);
}

/** Returns the end of a long string that the runtime's parser accepts; undefined if our scan must find the fault. */
function checkLongString(text: string, start: number): number | undefined {
  const end = stringEnd(text, start);
  if (end === undefined) return undefined;
  try {
    JSON.parse(text.slice(start, end));
    return end;
  } catch {
    return undefined;
  }
}

/** Finds the end of a string by its quotes alone: the first one after an even number of backslashes. */
export function stringEnd(text: string, start: number): number | undefined {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let run = quote;
    while (text.charCodeAt(run - 1) === BACKSLASH) run -= 1;
    if ((quote - run) % 2 === 0) return quote + 1;
  }
  return undefined;
}

/** Checks an escape; returns the position of its last character. */
function checkEscape(text: string, at: number): number {
  const code = text.charCodeAt(at + 1);
  if (code !== SMALL_U) {
    if (at + 1 < text.length && '"\\/bfnrt'.includes(text.charAt(at + 1))) return at + 1;
  } else if (/^[\dA-Fa-f]{4}$/.test(text.slice(at + 2, at + 6))) {
    return at + 5;
  }
  throw new JsonFault("invalid escape in a string", text, at);
}

function checkNumber(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
  if (text.charCodeAt(at) === ZERO) {
    at += 1;
    if (isDigit(text.charCodeAt(at))) throw new JsonFault("number with a leading zero", text, start);
  } else {
    at = checkDigits(text, at);
  }
  if (text.charCodeAt(at) === DOT) at = checkDigits(text, at + 1);
  if ((text.charCodeAt(at) | 0x20) === SMALL_E) {
    const sign = text.charCodeAt(at + 1);
    at = checkDigits(text, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  return at;
}

function checkDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at += 1;
  if (at === start) throw new JsonFault(`expected a digit, found ${found(text, at)}`, text, at);
  return at;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

// The wording of faults.

function found(text: string, at: number): string {
  const code = text.codePointAt(at);
  if (code === undefined) return "the end";
  if (code === QUOTE) return "a quote mark";
  if (code === 0xfeff) return "a byte order mark";
  const visible = code > SPACE && code < 0x7f;
  return visible ? `"${String.fromCharCode(code)}"` : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Lines and columns count from 1, and are omitted for a text of one line. */
function place(text: string, position: number): string {
  if (!text.includes("\n")) return `position ${position}`;
  let line = 1;
  let lineStart = 0;
  for (let at = 0; at < position; at++) {
    if (text.charCodeAt(at) !== LINE_FEED) continue;
    line += 1;
    lineStart = at + 1;
  }
  return `position ${position} (line ${line}, column ${position - lineStart + 1})`;
}
