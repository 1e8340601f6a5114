/** Schemas of conditions on frames, and of the pointers and patterns in them. */

import * as z from "zod";
import { type Condition, PARTS } from "../protocols/condition.ts";
import { compilePattern } from "../protocols/lazy-pattern.ts";

/** A JSON pointer (RFC 6901). The empty one is the whole message. */
export const pointer = z
  .string()
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, "must be a JSON pointer, such as /id or /data/request");

export const scalarsByPointer = z.record(
  pointer,
  z.union([z.string(), z.number(), z.boolean(), z.null()], { error: "must be a text, a number, true, false or null" }),
);

export const memberPointer = pointer.min(1, "must be a JSON pointer to a member, such as /id");

export const values = scalarsByPointer.refine((all) => Object.keys(all).length > 0, "must have at least one value");
const pointers = z.array(pointer).min(1, "must have at least one pointer");

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

/** A condition inside of another one. */
const inner: z.ZodType<Condition, Condition> = z.lazy(() => condition);
const inners = z.array(inner).min(1, "must have at least one condition");

/** The parts of a condition (see protocols/condition.ts), which some mappings have beside other keys. */
export const conditionShape = {
  match: values.optional().describe('Values by JSON pointer, exact in their JSON type: 7 is also 7.0, but never "7".'),
  has: pointers.optional().describe("JSON pointers at which there must be a value; null is one."),
  lacks: pointers.optional().describe("JSON pointers at which there must be none."),
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

export const EMPTY_CONDITION = `must say what to look at: ${PARTS}`;

export const condition = z
  .strictObject(conditionShape)
  .refine(isCondition, EMPTY_CONDITION)
  .meta({ id: "Condition", description: "A test of a frame; all of its parts must hold." });
