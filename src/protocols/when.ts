/** Conditions on frames, as a configuration writes them: what must stand where, what must be there, what must not. */

import { locate, type Pointer, parsePointer } from "./json-edit.ts";
import type { Json } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";

export type Scalar = string | number | boolean | null;

/** Holds when all that is given holds. Pointers are JSON pointers (RFC 6901). */
export interface When {
  /** The values that must stand at these pointers. */
  readonly match?: Readonly<Record<string, Scalar>> | undefined;
  /** What must be there, whatever it is. */
  readonly has?: readonly string[] | undefined;
  readonly lacks?: readonly string[] | undefined;
}

/** Whether a frame is meant. */
export type Test = (json: Json) => boolean;

/** Throws an Error for a pointer that is none. */
export function condition({ match = {}, has = [], lacks = [] }: When): Test {
  const tests: Test[] = [
    ...Object.entries(match).map(([at, wanted]) => holds(parsePointer(at), wanted)),
    ...has.map((at) => stands(parsePointer(at), true)),
    ...lacks.map((at) => stands(parsePointer(at), false)),
  ];
  return (json) => tests.every((test) => test(json));
}

/** Holds when one of the conditions does. */
export function anyOf(conditions: readonly When[]): Test {
  const tests = conditions.map(condition);
  return (json) => tests.some((test) => test(json));
}

function stands(pointer: Pointer, wanted: boolean): Test {
  return ({ text, root }) => (locate(text, root, pointer).type === "found") === wanted;
}

function holds(pointer: Pointer, wanted: Scalar): Test {
  return ({ text, root }) => {
    const place = locate(text, root, pointer);
    if (place.type !== "found") return false;
    switch (kindOf(text, place.value)) {
      case "string":
        return typeof wanted === "string" && stringAt(text, place.value) === wanted;
      case "number":
        return Number(text.slice(place.value.start, place.value.end)) === wanted;
      default:
        return typeof wanted !== "string" && text.slice(place.value.start, place.value.end) === String(wanted);
    }
  };
}
