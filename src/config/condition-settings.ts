/** Schemas of conditions on frames, and of the pointers and patterns in them. */

import * as z from "zod";
import { type Condition, PARTS } from "../protocols/condition.ts";
import { faultOfGroup, GROUP_FORM, isGroup } from "../protocols/groups.ts";
import { compilePattern } from "../protocols/lazy-pattern.ts";
import { resolve } from "./recursive.ts";

const POINTER = String.raw`(?:\/(?:[^~/]|~[01])*)*`;

/** A JSON pointer (RFC 6901). The empty one is the whole message. */
export const pointer = z
  .string()
  .regex(new RegExp(`^${POINTER}$`), "must be a JSON pointer, such as /id or /data/request");

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: "must be a text, a number, true, false or null",
});
export const scalarsByPointer = z.record(pointer, scalar);

export const memberPointer = pointer.min(1, "must be a JSON pointer to a member, such as /id");

/** A place in a frame that meets a condition: a JSON pointer, or a group of the condition's pattern. */
export const place = z
  .string()
  .regex(
    new RegExp(`^(?:${GROUP_FORM}|${POINTER})$`),
    "must be a JSON pointer, such as /id, or the name of a group, such as $id",
  );
export const memberPlace = place.min(1, "must be a JSON pointer to a member, such as /id, or the name of a group");

export const scalarsByPlace = z.record(place, scalar);
export const values = scalarsByPlace.refine((all) => Object.keys(all).length > 0, "must have at least one value");
const places = z.array(place).min(1, "must have at least one place");

/** A pattern of a condition. Its compiler must be ready: see {@link preparePatterns}. */
export const textPattern = z
  .string()
  .min(1, "must not be empty")
  .max(1_000, "must have at most 1000 characters")
  .superRefine((text, context) => {
    try {
      compilePattern(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  });

/** A condition as it is written: a pattern is short for a condition with only a `text`. */
type WrittenCondition =
  | string
  | (Omit<Condition, "any" | "all" | "not"> & {
      readonly any?: readonly WrittenCondition[] | undefined;
      readonly all?: readonly WrittenCondition[] | undefined;
      readonly not?: WrittenCondition | undefined;
    });

/** A condition inside of another one. */
const inner: z.ZodType<Condition, WrittenCondition> = z.lazy(() => condition);
const inners = z.array(inner).min(1, "must have at least one condition");

/** The parts of a condition (see protocols/condition.ts), which some mappings have beside other keys. */
export const conditionShape = {
  match: values.optional().describe('Values by place, exact in their JSON type: 7 is also 7.0, but never "7".'),
  has: places.optional().describe("Places at which there must be a value; null is one. JSON pointers, or $GROUP."),
  lacks: places.optional().describe("Places at which there must be none."),
  text: textPattern.optional().describe("An RE2 pattern that the frame's text matches, whether or not it is JSON."),
  any: inners.optional().describe("Conditions of which one must hold."),
  all: inners.optional().describe("Conditions that must all hold."),
  not: inner.optional().describe("A condition that must not hold."),
};

type ConditionKey = keyof typeof conditionShape;

/** True if a mapping with {@link conditionShape} has at least one part of a condition. */
export function isCondition(given: { readonly [Key in ConditionKey]?: unknown }): boolean {
  return CONDITION_KEYS.some((key) => given[key] !== undefined);
}

export const CONDITION_KEYS = Object.keys(conditionShape) as readonly ConditionKey[];

const EMPTY_CONDITION = `must say what to look at: ${PARTS}`;

/** Checks a mapping with {@link conditionShape} for what its parts must have in common. */
export function checkCondition(given: Pick<Condition, ConditionKey>, context: z.RefinementCtx): void {
  if (!isCondition(given)) context.addIssue({ code: "custom", message: EMPTY_CONDITION });
  checkGroups(given, context);
}

/** Checks that the places which are groups are those of the pattern beside them. */
export function checkGroups({ match = {}, has = [], lacks = [], text }: Condition, context: z.RefinementCtx): void {
  const wrong = (path: PropertyKey[], message: string) => context.addIssue({ code: "custom", path, message });
  const byKey = { match: Object.entries(match), has: has.entries(), lacks: lacks.entries() } as const;
  for (const [place, value] of byKey.match) {
    const isText = typeof value === "string";
    const fault =
      faultOfPlace(place, text) ?? (isGroup(place) && !isText ? "must be a text: a group is one" : undefined);
    if (fault !== undefined) wrong(["match", place], fault);
  }
  for (const key of ["has", "lacks"] as const) {
    for (const [index, place] of byKey[key]) {
      const fault = faultOfPlace(place, text);
      if (fault !== undefined) wrong([key, index], fault);
    }
  }
}

/** The reason why a place is none. A pattern that is wrong has no groups, and its own fault. */
export function faultOfPlace(place: string, pattern: string | undefined): string | undefined {
  if (!isGroup(place)) return undefined;
  try {
    return faultOfGroup(pattern, place);
  } catch {
    return undefined;
  }
}

/** The meaning of a pattern where a mapping with {@link conditionShape} may stand. */
export function fromPattern<Mapping extends object>(given: string | Mapping): Mapping | { readonly text: string } {
  return typeof given === "string" ? { text: given } : given;
}

export const CONDITION_FORM = "must be a condition, or a pattern of the frame's text";

export const condition = z
  .union([textPattern, z.strictObject(conditionShape).superRefine(checkCondition)], CONDITION_FORM)
  .transform((given): Condition => fromPattern(given))
  .meta({
    id: "Condition",
    description: "A test of a frame: a mapping, all of whose parts must hold; or a pattern, short for its text alone.",
  });
resolve(inner);
