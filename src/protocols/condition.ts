/** Conditions on frames, and the one compiler of all of them. */

import { faultOfGroup, groupSearch, isGroup } from "./groups.ts";
import type { Span } from "./json-check.ts";
import { idOf, type Json, readFrame, textOf } from "./json-message.ts";
import { locate, locateInSteps, parsePointer } from "./json-place.ts";
import { kindOf, stringAt, textOfScalar } from "./json-text.ts";
import { compilePattern } from "./lazy-pattern.ts";
import type { Body } from "./protocol.ts";
import { joinedReads, type Reads } from "./reads.ts";

export type Scalar = string | number | boolean | null;

/** Scalars by place. */
export type Values = Readonly<Record<string, Scalar>>;

/**
 * A condition as the configuration has it: it holds when each of its parts holds. An empty one is an error. A place is
 * a JSON pointer (RFC 6901), or `$NAME`: the group of the pattern in `text`, whose value is a text.
 */
export interface Condition {
  /** Values to be found, exact in their JSON type: 7 is also written 7.0, but never "7". */
  readonly match?: Values | undefined;
  /** Places at which there must be a value; null is one. */
  readonly has?: readonly string[] | undefined;
  /** Places at which there must be no value. */
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

/** Looks at the value at a place. */
type ValueTest = (text: string, value: Span, id: string | undefined) => boolean;

/** A place, and the test of its value; without a test there must be none. */
type PlaceTest = readonly [at: string, holds: ValueTest | undefined];

/**
 * Compiles a condition. A value of `match` that equals `placeholder` stands for the id that is given to the test.
 * Throws an Error if a place or a pattern is invalid, or the condition is empty. Patterns need `preparePatterns`.
 */
export function compile(condition: Condition, placeholder?: string): Test {
  const { match = {}, has = [], lacks = [], text, any, all = [], not: negated } = condition;
  const places: readonly PlaceTest[] = [
    ...Object.entries(match).map(([at, value]): PlaceTest => [at, value === placeholder ? isId : isScalar(value)]),
    ...has.map((at): PlaceTest => [at, isThere]),
    ...lacks.map((at): PlaceTest => [at, undefined]),
  ];
  const groups = places.filter(([at]) => isGroup(at));
  const tests = [
    ...places.filter(([at]) => !isGroup(at)).map(valueTest),
    ...(text === undefined && groups.length === 0 ? [] : [textMatching(text, groups)]),
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

/** A place, with the pattern that has its group. */
export interface PlaceOf {
  readonly at: string;
  readonly text: string | undefined;
}

/** Returns the places in `match`, of the condition and those within it, whose value is `wanted`. */
export function placesOf({ match = {}, text, ...inner }: Condition, wanted: Scalar): readonly PlaceOf[] {
  const { any = [], all = [], not } = inner;
  const own = Object.entries(match).flatMap(([at, value]) => (value === wanted ? [{ at, text }] : []));
  return [...own, ...[...any, ...all, ...(not ? [not] : [])].flatMap((each) => placesOf(each, wanted))];
}

/**
 * Compiles the rules of a URL, all of which must hold; without rules every frame does. Throws if a pointer is invalid.
 */
export function compileWhere(rules: readonly Rule[]): Test {
  return allOf(
    rules.map(({ pointer, value }) => valueTest([pointer, value === undefined ? isThere : isWritten(value)])),
  );
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

/** The members at the top of a frame that a condition looks into. */
export function readsOf({ match = {}, has = [], lacks = [], text, any = [], all = [], not }: Condition): Reads {
  const places = [...Object.keys(match), ...has, ...lacks];
  if (text !== undefined || places.some(isGroup)) return undefined;
  const inner = [...any, ...all, ...(not ? [not] : [])].map(readsOf);
  return joinedReads(readsOfPlaces(places), ...inner);
}

/** The members at the top that pointers lead into. */
export function readsOfPlaces(pointers: readonly string[]): Reads {
  const keys = pointers.map((pointer) => parsePointer(pointer)[0]);
  return keys.includes(undefined) ? undefined : new Set(keys as string[]);
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

/** Returns the JSON of a value in a frame. */
type Finder = (frame: FrameText) => string | undefined;

const finders = new WeakMap<object, Map<string, Finder>>();

/**
 * Returns the JSON of the value at a place; undefined if there is none.
 * @param when the condition of the settings that the frame has met, whose groups are places
 */
export function valueIn(frame: FrameText, at: string, when: Condition): string | undefined {
  const known = finders.get(when) ?? new Map<string, Finder>();
  finders.set(when, known);
  const find = known.get(at) ?? finderOf(at, when.text);
  known.set(at, find);
  return find(frame);
}

const DETAIL = "$detail";
/** The conditions whose pattern has the group: to look it up is to compile the pattern. */
const withDetail = new WeakMap<Condition, boolean>();

/**
 * The text that a frame has in the group `detail` of a condition's pattern, or of one within it: in failures it stands
 * for the frame. Undefined if there is none.
 */
export function detailIn(frame: FrameText, condition: Condition): string | undefined {
  const { text, any = [], all = [] } = condition;
  const has = withDetail.get(condition) ?? (text !== undefined && faultOfGroup(text, DETAIL) === undefined);
  withDetail.set(condition, has);
  const json = has ? valueIn(frame, DETAIL, condition) : undefined;
  if (json !== undefined) return textOfScalar(json);
  for (const inner of [...any, ...all]) {
    const detail = detailIn(frame, inner);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

/** Compiles the search for the value at a place. `pattern`: the one whose groups are places. */
export function finderOf(at: string, pattern: string | undefined): Finder {
  if (isGroup(at)) {
    const search = groupSearch(pattern, [at]);
    return ({ text }) => (text === undefined ? undefined : jsonOf(search(text)?.get(at)));
  }
  const pointer = parsePointer(at);
  return ({ text, root }) => {
    if (root === undefined) return undefined;
    const place = locate(text, root, pointer);
    return place.type === "found" ? sourceOf(text, place.value) : undefined;
  };
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

function not(test: Test): Test {
  return (frame, id) => !test(frame, id);
}

function textMatching(pattern: string | undefined, groups: readonly PlaceTest[]): Test {
  if (groups.length > 0) return groupTest(pattern, groups);
  const compiledPattern = compilePattern(pattern ?? "");
  return ({ text }) => text !== undefined && compiledPattern.test(text);
}

/** A group is a text, and so is the id that it is compared with. */
function groupTest(pattern: string | undefined, groups: readonly PlaceTest[]): Test {
  const search = groupSearch(
    pattern,
    groups.map(([at]) => at),
  );
  return ({ text }, id) => {
    const found = text === undefined ? undefined : search(text);
    if (found === undefined) return false;
    const idText = id === undefined ? undefined : JSON.stringify(textOfScalar(id));
    return groups.every(([at, holds]) => {
      const json = jsonOf(found.get(at));
      return json === undefined || holds === undefined
        ? json === holds
        : holds(json, { start: 0, end: json.length }, idText);
    });
  };
}

function jsonOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text);
}

function valueTest([at, holds]: PlaceTest): Test {
  const pointer = parsePointer(at);
  return ({ text, root }, id) => {
    if (root === undefined) return false;
    const place = locate(text, root, pointer);
    if (holds === undefined) return place.type !== "found";
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
