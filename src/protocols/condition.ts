/** Conditions on JSON frames, and the one compiler of all of them. */

import type { Span } from "./json-check.ts";
import { locate, parsePointer } from "./json-edit.ts";
import { idOf, type Json, readFrame } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";
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
}

/** One `where` of a URL, which has no types: `5` matches 5 and "5". */
export interface Rule {
  readonly pointer: string;
  /** A value as JSON writes it, or a string's text without its quotes: `5`, `true`, `"tick"` and `tick`. */
  readonly value: string;
}

/** Reports whether a frame meets a condition. `id` is the JSON text of the value that a placeholder stands for. */
export type Test = (json: Json, id?: string) => boolean;

/** Looks at the value that a pointer found. */
type ValueTest = (text: string, value: Span, id: string | undefined) => boolean;

/**
 * Compiles a condition. A value of `match` that equals `placeholder` stands for the id that is given to the test.
 * Throws an Error if a pointer is invalid or the condition is empty.
 */
export function compile({ match = {}, has = [], lacks = [] }: Condition, placeholder?: string): Test {
  const tests = [
    ...Object.entries(match).map(([at, value]) => valueAt(at, value === placeholder ? isId : isScalar(value))),
    ...has.map((at) => valueAt(at, isThere)),
    ...lacks.map((at) => not(valueAt(at, isThere))),
  ];
  if (tests.length === 0) throw new Error("the condition is empty: it needs match, has or lacks");
  return allOf(tests);
}

/** Compiles a list of conditions of which one must hold. Throws like {@link compile}. */
export function compileAny(conditions: readonly Condition[]): Test {
  const tests = conditions.map((condition) => compile(condition));
  return (json) => tests.some((test) => test(json));
}

/**
 * Compiles the rules of a URL, all of which must hold; without rules every frame does. Throws if a pointer is invalid.
 */
export function compileWhere(rules: readonly Rule[]): Test {
  return allOf(rules.map(({ pointer, value }) => valueAt(pointer, isWritten(value))));
}

/**
 * Compiled tests by the settings they come from: settings reach the thread as data and are consulted for every frame.
 */
const compiled = new WeakMap<object, Test>();

/** The test of a condition of the settings, compiled only once. */
export function testOf(condition: Condition): Test {
  return compileOnce(condition, condition);
}

/** The test of a bare `match` of the settings, compiled only once. */
export function testOfValues(match: Values): Test {
  return compileOnce(match, { match });
}

function compileOnce(settings: object, condition: Condition): Test {
  const known = compiled.get(settings);
  if (known !== undefined) return known;
  const test = compile(condition);
  compiled.set(settings, test);
  return test;
}

/** Reports whether a frame meets a condition of the settings. A frame that is not JSON meets none. */
export function matchesFrame(frame: Body, condition: Condition): boolean {
  const json = readFrame(frame);
  return !("why" in json) && testOf(condition)(json);
}

function allOf(tests: readonly Test[]): Test {
  return (json, id) => tests.every((test) => test(json, id));
}

function not(test: Test): Test {
  return (json, id) => !test(json, id);
}

function valueAt(at: string, holds: ValueTest): Test {
  const pointer = parsePointer(at);
  return ({ text, root }, id) => {
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
