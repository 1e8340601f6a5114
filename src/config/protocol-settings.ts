/** Schemas of an upstream's protocol, greeting and heartbeat, and of the conditions in them. */

import * as z from "zod";
import { type Condition, PARTS } from "../protocols/condition.ts";
import { INFLATES } from "../protocols/frames.ts";
import { ID_KINDS } from "../protocols/id-kinds.ts";
import { ERROR_DEEDS } from "../protocols/json.ts";
import { compilePattern } from "../protocols/lazy-pattern.ts";
import type { GreetingStep } from "../protocols/preset.ts";
import { type PresetName, presetNames } from "../protocols/presets.ts";
import { isTemplate, TEXT_ID_KINDS, templatePlaces } from "../protocols/text.ts";
import { duration, wholeNumber } from "./units.ts";

/**
 * True for the path of a module, such as `./mine.js`, `/opt/mine.js` or a `file:` URL; false for the name of a preset.
 */
export function isModulePath(protocol: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}\\|[A-Za-z]:[\\/]|file:)/.test(protocol);
}

/** A JSON pointer (RFC 6901). The empty one is the whole message. */
const pointer = z.string().regex(/^(?:\/(?:[^~/]|~[01])*)*$/, "must be a JSON pointer, such as /id or /data/request");

export const scalarsByPointer = z.record(
  pointer,
  z.union([z.string(), z.number(), z.boolean(), z.null()], { error: "must be a text, a number, true, false or null" }),
);

export const memberPointer = pointer.min(1, "must be a JSON pointer to a member, such as /id");

const values = scalarsByPointer.refine((all) => Object.keys(all).length > 0, "must have at least one value");
const pointers = z.array(pointer).min(1, "must have at least one pointer");

/** A pattern of a condition. Its compiler must be ready: see {@link preparePatterns}. */
const textPattern = z
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
const inner: z.ZodType<Condition> = z.lazy(() => condition);
const inners = z.array(inner).min(1, "must have at least one condition");

/** The parts of a condition (see protocols/condition.ts), which some mappings have beside other keys. */
export const conditionShape = {
  /** Values by JSON pointer, exact in their JSON type. */
  match: values.optional(),
  /** Pointers at which there must be a value. */
  has: pointers.optional(),
  /** Pointers at which there must be none. */
  lacks: pointers.optional(),
  /** An RE2 pattern that the frame's text matches. */
  text: textPattern.optional(),
  /** Conditions of which one must hold. */
  any: inners.optional(),
  /** Conditions that must all hold. */
  all: inners.optional(),
  /** A condition that must not hold. */
  not: inner.optional(),
};

type ConditionKey = keyof typeof conditionShape;

/** True if a mapping with {@link conditionShape} has at least one part of a condition. */
export function isCondition(given: { readonly [Key in ConditionKey]?: unknown }): boolean {
  return CONDITION_KEYS.some((key) => given[key] !== undefined);
}

export const CONDITION_KEYS = Object.keys(conditionShape) as readonly ConditionKey[];

const EMPTY_CONDITION = `must say what to look at: ${PARTS}`;

export const condition = z
  .strictObject(conditionShape)
  .refine(isCondition, EMPTY_CONDITION)
  .meta({ id: "Condition", description: "A test of a frame; all of its parts must hold." });

const conditions = z.array(condition).min(1, "must have at least one condition");

/** A pattern that is not compiled here: load.ts checks it, and loads the compiler only if there are patterns. */
const pattern = z.string().min(1, "must not be empty").max(1_000, "must have at most 1000 characters");

function checkTextId({ out, kind }: { out: string; kind: string }, context: z.RefinementCtx): void {
  const refuse = (message: string) => context.addIssue({ code: "custom", path: ["out"], message });
  if (!isTemplate(out)) return;
  if (kind === "keep") refuse("must be a pattern that finds the caller's own id, which is kept");
  else if (templatePlaces(out) !== "id message") refuse("must have $id and $message, each once");
}

const jsonValue = z.json({ error: "must be a text, or a value to be sent as JSON" });

const answer = z
  .strictObject({
    when: condition,
    /** A string is sent as is, any other value as JSON. */
    send: jsonValue,
    /** Pointers: place in the answer → source in the request. */
    copy: z.record(memberPointer, pointer).optional(),
    /** True if what is answered is a message, too. */
    keep: z.boolean().optional(),
    /** `delivered`: the answer waits until a webhook has delivered what it answers, for at most `within`. */
    after: z.enum(["delivered"], "must be delivered").optional(),
    within: duration.optional(),
  })
  .refine(({ after, within }) => after !== undefined || within === undefined, {
    path: ["within"],
    error: "needs after: delivered",
  })
  .refine(({ after, keep }) => after === undefined || keep !== false, {
    path: ["keep"],
    error: "must not be false: only a message can be delivered",
  })
  .refine(({ send, copy }) => copy === undefined || (typeof send === "object" && send !== null), {
    path: ["copy"],
    error: "needs a send that is a mapping",
  });

const COLLECT_WITHOUT_FINAL = { path: ["collect"], error: "needs final: which frame is the last one" };

/** How messages lie in frames, for every preset. */
const common = {
  frames: z
    .strictObject({
      /** The separator of the messages in a frame, which also ends what is sent; or `array`. */
      split: z
        .string()
        .min(1, "must not be empty: it is a separator, or array")
        .max(16, "must have at most 16 characters")
        .optional(),
      /** The compression of binary frames. */
      inflate: z.enum(INFLATES).optional(),
    })
    .refine(({ split, inflate }) => split !== undefined || inflate !== undefined, "must have split or inflate")
    .optional(),
};

const protocolOptions = z.discriminatedUnion("preset", [
  z.strictObject({
    preset: z.literal("json-rpc"),
    /** The way to treat an error that names no request. */
    errors: z.strictObject({ when: condition, do: z.enum(ERROR_DEEDS) }).optional(),
    ...common,
  }),
  z
    .strictObject({
      preset: z.literal("json"),
      ...common,
      /** The place of the id in requests (`out`) and replies (`in`), and its kind. */
      id: z
        .strictObject({
          out: memberPointer.prefault("/id"),
          in: memberPointer.prefault("/id"),
          kind: z.enum(ID_KINDS).prefault("int"),
        })
        .prefault({}),
      /** A frame with our id that does not meet this is a message, not a reply. */
      reply: condition.optional(),
      /** Frames with our id that precede the reply; they are messages. */
      skip: conditions.optional(),
      /** Frames that end a request. */
      final: conditions.optional(),
      /** Makes the reply an array of all frames with the id; `frames` bounds their number. */
      collect: z.strictObject({ frames: wholeNumber(1, 1_000_000).prefault(1000) }).optional(),
      /** The way to treat an error that names no request. */
      errors: z.strictObject({ when: condition, do: z.enum(ERROR_DEEDS) }).optional(),
      /** Requests of the upstream's own, with our answers. */
      answers: z.array(answer).optional(),
    })
    .refine(({ final, collect }) => collect === undefined || final !== undefined, COLLECT_WITHOUT_FINAL),
  z
    .strictObject({
      preset: z.literal("text"),
      ...common,
      /** The place and the kind of ids; without it, replies are correlated by order. */
      id: z
        .strictObject({ out: pattern, in: pattern, kind: z.enum(TEXT_ID_KINDS).prefault("int") })
        .superRefine(checkTextId)
        .optional(),
      /** As for `json`, with patterns in place of conditions. Without ids they are for all frames. */
      reply: pattern.optional(),
      skip: z.array(pattern).min(1, "must have at least one pattern").optional(),
      final: z.array(pattern).min(1, "must have at least one pattern").optional(),
      /** Makes the reply all frames up to the final one; `frames` bounds their number. */
      collect: z.strictObject({ frames: wholeNumber(1, 1_000_000).prefault(1000) }).optional(),
      errors: z.strictObject({ when: pattern, do: z.enum(ERROR_DEEDS) }).optional(),
    })
    .refine(({ id, errors }) => id !== undefined || errors === undefined, {
      path: ["errors"],
      error: "needs id: without ids, the error is the reply to the request that waits",
    })
    .refine(({ final, collect }) => collect === undefined || final !== undefined, COLLECT_WITHOUT_FINAL),
  z.strictObject({ preset: z.literal("cdp"), ...common }),
  z.strictObject({
    preset: z.literal("graphql-transport-ws"),
    ...common,
    payload: z.record(z.string(), z.json()).optional(),
  }),
  z.strictObject({
    preset: z.literal("home-assistant"),
    ...common,
    token: z.string().min(1, "must not be empty").optional(),
  }),
  z.strictObject({
    preset: z.literal("obs"),
    ...common,
    events: wholeNumber(0, 2 ** 31 - 1).optional(),
    password: z.string().min(1, "must not be empty").optional(),
  }),
]);

const PRESETS = presetNames.join(", ");
const PROTOCOL_FORM = `must be a preset (${PRESETS}), the path of a module (it starts with ./ or /), or { preset: … }`;

export const protocol = z.union(
  [
    z.string().refine((name) => isModulePath(name) || presetNames.includes(name as PresetName), PROTOCOL_FORM),
    protocolOptions,
  ],
  { error: PROTOCOL_FORM },
);

/** A condition that ends the greeting, and when the next attempt is made. */
const rejection = z
  .strictObject({
    ...conditionShape,
    class: z.enum(["retry", "slow", "refuse"], "must be retry, slow or refuse").optional(),
  })
  .refine(isCondition, EMPTY_CONDITION);

const expectation = z
  .strictObject({
    ...conditionShape,
    /** `match: {}`, and nothing else, takes any frame. */
    match: scalarsByPointer.optional(),
    /** Short for `reject: { match: … }` beside `expect`. */
    reject: values.optional(),
    within: duration.prefault("5s"),
  })
  .refine(isCondition, EMPTY_CONDITION);

/** `reject` is looked at before `expect`. */
const expecting = { expect: expectation, reject: rejection.optional() };

export const greetingStep = z
  .union(
    [
      // First: a step without send must not be told that it is missing.
      z.strictObject(expecting),
      /** A string is sent as is, any other value as JSON. */
      z.strictObject({ send: jsonValue, ...expecting, expect: expectation.optional() }),
    ],
    { error: "must be { send: … } or { expect: { match: … } }, or both in one" },
  )
  .superRefine(({ expect, reject }, context) => {
    const wrong = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (reject && !expect) wrong("expect", "is missing: reject needs it");
    else if (reject && expect?.reject) wrong("reject", "is given twice: leave out expect.reject");
  })
  .transform(({ expect, reject, ...sending }): GreetingStep => {
    const rejected = reject ?? (expect?.reject && { match: expect.reject });
    if (!expect) return sending;
    return { ...sending, expect: { ...withoutReject(expect), ...(rejected && { reject: rejected }) } };
  });

function withoutReject<Expect extends { readonly reject?: unknown }>({ reject: _, ...rest }: Expect) {
  return rest;
}

/** A message in the upstream's protocol that requests a sign of life from its application. */
export const heartbeat = z.strictObject({
  send: z.json({ error: "must be a text, or a value to be sent as JSON" }),
  every: duration.prefault("30s"),
  /** The reply; without it the heartbeat is only sent. */
  expect: condition.optional(),
  within: duration.prefault("10s"),
});

/** The places of the answers that wait for a delivery, in the settings of a protocol. */
export function answersAfterDelivery(protocol: string | object): readonly (readonly (string | number)[])[] {
  if (typeof protocol === "string" || !("answers" in protocol)) return [];
  const answers = (protocol.answers ?? []) as readonly { readonly after?: unknown }[];
  return answers.flatMap(({ after }, index) => (after === undefined ? [] : [["answers", index, "after"]]));
}
