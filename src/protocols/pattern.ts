/** Regular expressions for upstreams' frames, in RE2's syntax, whose cost is bounded. */

import { RE2JS, RE2JSException } from "re2js";
import type { Span } from "./json-check.ts";

/** The length of text that a pattern sees, in UTF-16 units. An id or a type is near the start of its frame. */
const SEEN = 1_024;

/** The largest program, in RE2's instructions. With {@link SEEN} it bounds one test: 10 ms at worst, 2 µs as a rule. */
const MAX_SIZE = 256;

/**
 * A pattern that runs on the thread that all requests share. The cost of RE2 (re2js) grows linearly with the text and
 * the pattern, where JavaScript's own expressions can backtrack exponentially.
 */
export class Pattern {
  readonly #pattern: RE2JS;

  /** Throws an Error with the fault, which does not quote the pattern. */
  constructor(text: string) {
    try {
      this.#pattern = RE2JS.compile(text);
    } catch (error) {
      throw new Error(`must be an RE2 pattern: ${reason(error)}`, { cause: error });
    }
    const size = this.#pattern.programSize();
    if (size > MAX_SIZE) throw new Error(`is too large a pattern: ${size} steps (at most ${MAX_SIZE})`);
  }

  /** The pattern for whole texts only. Throws like the constructor; an unfinished quotation counts as a fault. */
  static whole(text: string): Pattern {
    // By itself it must be one, too: the brackets of `a)|(b` would pair with those here.
    new Pattern(text);
    return new Pattern(String.raw`\A(?:${text})\z`);
  }

  has(group: string): boolean {
    return Object.hasOwn(this.#pattern.namedGroups(), group);
  }

  /** The names of its groups. */
  get names(): readonly string[] {
    return Object.keys(this.#pattern.namedGroups());
  }

  test(text: string): boolean {
    return this.#pattern.test(text.slice(0, SEEN));
  }

  /**
   * Returns the text of each of these groups in the first match; undefined for one that took no part in it. Undefined
   * without a match, or if one may continue beyond the text that is seen.
   */
  groups(text: string, names = this.names): ReadonlyMap<string, string | undefined> | undefined {
    const matcher = this.#pattern.matcher(text.slice(0, SEEN));
    if (!matcher.find()) return undefined;
    if (text.length > SEEN && names.some((name) => matcher.end(name) === SEEN)) return undefined;
    return new Map(names.map((name) => [name, matcher.group(name) ?? undefined]));
  }

  /**
   * Returns the spans of a group in the first match, and of the group `around` it, if that has it. Undefined without a
   * match, if the group took no part in it, or if it may continue beyond the text that is seen: half an id would be
   * another request's.
   */
  find(text: string, group: string, around = group): { readonly part: Span; readonly around: Span } | undefined {
    const matcher = this.#pattern.matcher(text.slice(0, SEEN));
    if (!matcher.find()) return undefined;
    const spanOf = (name: string): Span | undefined => {
      const [start, end] = [matcher.start(name), matcher.end(name)];
      return start < 0 || (end === SEEN && text.length > SEEN) ? undefined : { start, end };
    };
    const part = spanOf(group);
    if (part === undefined) return undefined;
    const outer = this.has(around) ? spanOf(around) : undefined;
    const holds = outer !== undefined && outer.start <= part.start && part.end <= outer.end;
    return { part, around: holds ? outer : part };
  }
}

function reason(error: unknown): string {
  const description = error instanceof RE2JSException ? error.message : "it cannot be compiled";
  return description.replace(/^error parsing regexp: /, "").replace(/: `.*$/s, "");
}
