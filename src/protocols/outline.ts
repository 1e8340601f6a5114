/**
 * Outlines of large JSON texts: whether they are JSON, and where their large values end.
 *
 * An outline is found in steps, between which other work may go on; whatever reads the text afterwards goes over its
 * large values at once.
 */

import { Check, JsonFault, type Span } from "./json-check.ts";

/** The largest text, in UTF-16 code units, that is checked at once: that takes some milliseconds at most. */
export const LARGE_TEXT = 64 * 1024;

/** The length from which on the end of an array or object is noted, unless it lies deeper than any pointer reaches. */
const NOTED_LENGTH = 16 * 1024;
const NOTED_DEPTH = 66;

/**
 * The most members and elements of a large text that are looked at for one value. Those of the containers that the
 * pointer leads through count, and not what lies within their other members.
 */
export const LOOKED_AT_MAX = 16_384;

/** The characters between two pauses: some milliseconds, even of a text that is nothing but commas. */
const STEP = 64 * 1024;

export interface Outline {
  readonly text: string;
  /** The span of the value, or the reason why the text is not JSON. */
  readonly root: Span | { readonly why: string };
  /** The ends of long arrays and objects, by their starts. */
  readonly ends: ReadonlyMap<number, number>;
}

/** Checks a text, and yields where other work may be done. */
export function* outlineInSteps(text: string): Generator<undefined, Outline> {
  const ends = new Map<number, number>();
  const checking = new Check(text, Number.POSITIVE_INFINITY, undefined, {
    length: NOTED_LENGTH,
    depth: NOTED_DEPTH,
    ends,
  });
  try {
    yield* inSteps(checking);
    return { text, root: checking.root, ends };
  } catch (error) {
    if (error instanceof JsonFault) return { text, root: { why: error.message }, ends };
    throw error;
  }
}

export function* inSteps(work: { run(until: number): boolean }): Generator<undefined, void> {
  for (let until = STEP; !work.run(until); until += STEP) yield;
}

/** The outline that is known now. One at a time, for as long as its text is dealt with: it is no cache. */
let known: Outline | undefined;
/** That of the text which the last edit made of it. */
let knownEdited: Outline | undefined;

/** Does some work to which the outline's text is known. */
export function knowing<Result>(outline: Outline, work: () => Result): Result {
  known = outline;
  try {
    return work();
  } finally {
    known = undefined;
    knownEdited = undefined;
  }
}

/** The outline of a text, if it is known. */
export function outlineOf(text: string): Outline | undefined {
  if (text.length <= LARGE_TEXT || known === undefined) return undefined;
  if (known.text === text) return known;
  return knownEdited?.text === text ? knownEdited : undefined;
}

/**
 * Replaces a part of a text by another that leaves it JSON. If the outline of the text is known, then so is that of the
 * result, until the next edit: who gets a large reply with another id must not go over all of it again.
 */
export function edited(text: string, { start, end }: Span, by: string): string {
  const result = text.slice(0, start) + by + text.slice(end);
  const outline = outlineOf(text);
  if (outline !== undefined) knownEdited = outlineAfter(outline, result, { start, end });
  return result;
}

function outlineAfter({ text, root, ends }: Outline, result: string, part: Span): Outline {
  const longer = result.length - text.length;
  const startAfter = (at: number): number => (at < part.end ? at : at + longer);
  const endAfter = (at: number): number => (at <= part.start ? at : at + longer);
  const isOutside = (start: number): boolean => start < part.start || start >= part.end;
  return {
    text: result,
    root: "why" in root ? root : { start: root.start, end: endAfter(root.end) },
    ends: new Map(
      [...ends].filter(([start]) => isOutside(start)).map(([start, end]) => [startAfter(start), endAfter(end)]),
    ),
  };
}
