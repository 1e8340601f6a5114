/**
 * Regular expressions that an upstream's frames are looked at with, on the thread that all requests share. RE2's kind, by
 * re2js: what it costs grows with the text and the pattern and no faster, where JavaScript's own can backtrack without end.
 */

import { RE2JS, RE2JSException } from "re2js";
import type { Span } from "./json-check.ts";

/** What a pattern sees of a text, in UTF-16 units. What names a message stands near its beginning. */
const SEEN = 1_024;

/** In RE2's instructions. With {@link SEEN} it bounds what one look may cost: some 10 ms for the worst, 2 µs for the usual. */
const MAX_SIZE = 256;

export class Pattern {
  readonly #pattern: RE2JS;

  /** Throws an Error that says what is wrong, and quotes nothing. */
  constructor(text: string) {
    try {
      this.#pattern = RE2JS.compile(text);
    } catch (error) {
      throw new Error(`must be a pattern as RE2 has them: ${reason(error)}`, { cause: error });
    }
    const size = this.#pattern.programSize();
    if (size > MAX_SIZE) throw new Error(`is too large a pattern: it has ${size} steps, and may have ${MAX_SIZE}`);
  }

  has(group: string): boolean {
    return Object.hasOwn(this.#pattern.namedGroups(), group);
  }

  test(text: string): boolean {
    return this.#pattern.test(text.slice(0, SEEN));
  }

  /**
   * Where the first match is, and what its group took. Undefined without a match, or where the group has no part in it, or
   * where it may go on beyond what is seen: half a name is another's.
   */
  find(text: string, group: string): { readonly whole: Span; readonly part: Span } | undefined {
    const matcher = this.#pattern.matcher(text.slice(0, SEEN));
    if (!matcher.find() || matcher.start(group) < 0) return undefined;
    if (matcher.end(group) === SEEN && text.length > SEEN) return undefined;
    return {
      whole: { start: matcher.start(), end: matcher.end() },
      part: { start: matcher.start(group), end: matcher.end(group) },
    };
  }
}

function reason(error: unknown): string {
  const description = error instanceof RE2JSException ? error.message : "it cannot be read";
  return description.replace(/^error parsing regexp: /, "").replace(/: `.*$/s, "");
}
