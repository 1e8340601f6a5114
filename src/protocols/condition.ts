/** Conditions on frames, and the one compiler of all of them. */

import type { Span } from "./json-check.ts";
import { idOf, type Json, readFrame, textOf } from "./json-message.ts";
import { locate, locateInSteps, parsePointer } from "./json-place.ts";
import { kindOf, stringAt } from "./json-text.ts";
import { compilePattern } from "./lazy-pattern.ts";
import type { Body } from "./protocol.ts";

export type Scalar = string | number | boolean | null;

/** Scalars by JSON pointer (RFC 6901). */
export type Values = Readonly<Record<string, Scalar>>;

/** A condition as the configuration has it: it holds when each of its parts holds. An empty one is an error. */
export interface Condition {
  /** Values to be found, exact in their JSON type: 7 is also written 7.0, but never "7". */
  readonly match?: Values | undefined;
  /** Pointers at which there must be a value; null is one. */
  readonly has?: readonly string[] | undefined;
  /** Pointers at which there must be no value. */
  readonly lacks?: readonly string[] | undefined;
  /** An RE2 pattern that the frame's text matches, whether or not it is JSON (see pattern.ts). */
  readonly text?: string | undefined;
  /** Conditions of which one must hold. */
  readonly any?: readonly Condition[] | undefined;
  /** Conditions that must all hold. */
  readonly all?: readonly Condition[] | undefined;
  /** A condition that must not hold. */
  readonly not?: Condition | undefined;
}

/** A frame as conditions see it. Without `root` it is not JSON; without `text`, it is bytes that are not UTF-8. */
export type FrameText = Json | { readonly text: string | undefined; readonly root?: undefined };

/** One `where` of a URL, which has no types: `5` matches 5 and "5". */
export interface Rule {
  readonly pointer: string;
  /**
   * A value as JSON writes it, or a string's text without its quotes: `5`, `true`, `"tick"` and `tick`. Undefined for
   * any value.
   */
  readonly value?: string | undefined;
}

/** Reports whether a frame meets a condition. `id` is the JSON text of the value that a placeholder stands for. */
export type Test = (frame: FrameText, id?: string) => boolean;

/** Looks at the value that a pointer found. */
type ValueTest = (text: string, value: Span, id: string | undefined) => boolean;

/**
 * Compiles a condition. A value of `match` that equals `placeholder` stands for the id that is given to the test.
 * Throws an Error if a pointer or a pattern is invalid, or the condition is empty. Patterns need `preparePatterns`.
 */
export function compile(condition: Condition, placeholder?: string): Test {
  const { match = {}, has = [], lacks = [], text, any, all = [], not: negated } = condition;
  const tests = [
    ...Object.entries(match).map(([at, value]) => valueAt(at, value === placeholder ? isId : isScalar(value))),
    ...has.map((at) => valueAt(at, isThere)),
    ...lacks.map((at) => both(isJsonFrame, not(valueAt(at, isThere)))),
    ...(text === undefined ? [] : [textMatching(text)]),
    ...(any === undefined ? [] : [compileAny(any, placeholder)]),
    ...all.map((one) => compile(one, placeholder)),
    ...(negated === undefined ? [] : [not(compile(negated, placeholder))]),
  ];
  if (tests.length === 0) throw new Error(`the condition is empty: it needs ${PARTS}`);
  return allOf(tests);
}

/** The parts of a condition, for a sentence. */
export const PARTS = "match, has, lacks, text, any, all or not";

/** Compiles a list of conditions of which one must hold. Throws like {@link compile}. */
export function compileAny(conditions: readonly Condition[], placeholder?: string): Test {
  const tests = conditions.map((condition) => compile(condition, placeholder));
  if (tests.length === 0) throw new Error("the condition is empty: it has no alternatives");
  return (frame, id) => tests.some((test) => test(frame, id));
}

/** True for a condition without parts. Only a greeting may have one: it takes any frame. */
export function isEmpty({ match = {}, has, lacks, text, any, all, not }: Condition): boolean {
  return Object.keys(match).length === 0 && !has && !lacks && text === undefined && !any && !all && !not;
}

/** Returns the pointers in `match`, of the condition and those within it, whose value is `wanted`. */
export function pointersOf({ match = {}, any = [], all = [], not }: Condition, wanted: Scalar): readonly string[] {
  const own = Object.entries(match).flatMap(([pointer, value]) => (value === wanted ? [pointer] : []));
  return [...own, ...[...any, ...all, ...(not ? [not] : [])].flatMap((inner) => pointersOf(inner, wanted))];
}

/**
 * Compiles the rules of a URL, all of which must hold; without rules every frame does. Throws if a pointer is invalid.
 */
export function compileWhere(rules: readonly Rule[]): Test {
  return allOf(rules.map(({ pointer, value }) => valueAt(pointer, value === undefined ? isThere : isWritten(value))));
}

/** Does what {@link compileWhere} does, and yields where other work may be done, for a text that takes too long. */
export function* whereInSteps(rules: readonly Rule[], { text, root }: FrameText): Generator<undefined, boolean> {
  if (root === undefined) return rules.length === 0;
  for (const { pointer, value } of rules) {
    const place = yield* locateInSteps(text, root, parsePointer(pointer));
    if (place.type !== "found") return false;
    if (value !== undefined && !isWritten(value)(text, place.value, undefined)) return false;
  }
  return true;
}

/** How many times a condition may walk over a frame. */
export function rulesIn({ match = {}, has = [], lacks = [], text, any = [], all = [], not }: Condition): number {
  const inner = [...any, ...all, ...(not ? [not] : [])].map(rulesIn);
  const own = Object.keys(match).length + has.length + lacks.length + (text === undefined ? 0 : 1);
  return inner.reduce((total, rules) => total + rules, own);
}

/**
 * Compiled tests by the settings they come from: settings reach the thread as data and are consulted for every frame.
 */
const compiled = new WeakMap<object, Test>();

/** The test of a condition of the settings, compiled only once. */
export function testOf(condition: Condition): Test {
  const known = compiled.get(condition);
  if (known !== undefined) return known;
  const test = compile(condition);
  compiled.set(condition, test);
  return test;
}

/** Reads a frame for tests. */
export function frameText(frame: Body): FrameText {
  const json = readFrame(frame);
  return "why" in json ? { text: textOf(frame) } : json;
}

/** Reports whether a frame meets a condition of the settings. */
export function matchesFrame(frame: Body, condition: Condition): boolean {
  return testOf(condition)(frameText(frame));
}

function allOf(tests: readonly Test[]): Test {
  return (frame, id) => tests.every((test) => test(frame, id));
}

function both(one: Test, other: Test): Test {
  return (frame, id) => one(frame, id) && other(frame, id);
}

function not(test: Test): Test {
  return (frame, id) => !test(frame, id);
}

function isJsonFrame({ root }: FrameText): boolean {
  return root !== undefined;
}

function textMatching(pattern: string): Test {
  const compiledPattern = compilePattern(pattern);
  return ({ text }) => text !== undefined && compiledPattern.test(text);
}

function valueAt(at: string, holds: ValueTest): Test {
  const pointer = parsePointer(at);
  return ({ text, root }, id) => {
    if (root === undefined) return false;
    const place = locate(text, root, pointer);
    return place.type === "found" && holds(text, place.value, id);
  };
}

function isThere(): boolean {
  return true;
}

function isScalar(wanted: Scalar): ValueTest {
  return (text, value) => {
    switch (kindOf(text, value)) {
      case "string":
        return typeof wanted === "string" && stringAt(text, value) === wanted;
      case "number":
        return Number(sourceOf(text, value)) === wanted;
      default:
        return typeof wanted !== "string" && sourceOf(text, value) === String(wanted);
    }
  };
}

/** Numbers beyond 2^53 are compared as they are written: rounded, two ids could be taken for one. */
function isId(text: string, value: Span, id: string | undefined): boolean {
  if (id === undefined) return false;
  const found = sourceOf(text, value);
  if (found === id) return true;
  const whole = { start: 0, end: id.length };
  const kind = kindOf(text, value);
  if (kind !== kindOf(id, whole)) return false;
  if (kind === "string") return stringAt(text, value) === stringAt(id, whole);
  return kind === "number" && idOf(found) !== undefined && idOf(found) === idOf(id);
}

function isWritten(wanted: string): ValueTest {
  return (text, value) =>
    sourceOf(text, value) === wanted || (kindOf(text, value) === "string" && stringAt(text, value) === wanted);
}

function sourceOf(text: string, { start, end }: Span): string {
  return text.slice(start, end);
}
