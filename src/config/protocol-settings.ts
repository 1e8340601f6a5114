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
    when: condition.describe("The requests of the upstream that are answered."),
    send: jsonValue.describe("The answer: a text, sent as it is, or a value, sent as JSON."),
    copy: z
      .record(memberPointer, pointer)
      .optional()
      .describe("JSON pointers: place in the answer → source in the request."),
    keep: z.boolean().optional().describe("True if what is answered is a message, too."),
    after: z
      .enum(["delivered"], "must be delivered")
      .optional()
      .describe(
        "Makes the answer wait, at most for within, until a webhook or a reader has acknowledged what it answers.",
      ),
    within: duration.optional().describe("The longest wait for the delivery."),
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
      split: z
        .string()
        .min(1, "must not be empty: it is a separator, or array")
        .max(16, "must have at most 16 characters")
        .optional()
        .describe("The separator of the messages in a frame, which also ends what is sent; or array."),
      inflate: z.enum(INFLATES).optional().describe("The compression of binary frames."),
    })
    .refine(({ split, inflate }) => split !== undefined || inflate !== undefined, "must have split or inflate")
    .optional()
    .describe("How messages lie in frames, where it is not one in each."),
};

const collect = z
  .strictObject({
    frames: wholeNumber(1, 1_000_000)
      .prefault(1000)
      .describe("The most frames of a reply; more fail with invalid_reply."),
  })
  .optional();

const jsonErrors = z
  .strictObject({
    when: condition.describe("The errors that name no request."),
    do: z.enum(ERROR_DEEDS).describe("What becomes of the requests in flight."),
  })
  .optional()
  .describe("The way to treat an error that names no request.");

const protocolOptions = z
  .discriminatedUnion("preset", [
    z.strictObject({ preset: z.literal("json-rpc"), errors: jsonErrors, ...common }),
    z
      .strictObject({
        preset: z.literal("json"),
        ...common,
        id: z
          .strictObject({
            out: memberPointer.prefault("/id").describe("The place of the id in requests."),
            in: memberPointer.prefault("/id").describe("The place of the id in replies."),
            kind: z.enum(ID_KINDS).prefault("int").describe("The kind of ids."),
          })
          .prefault({})
          .describe("Where ids are, and what they are."),
        reply: condition.optional().describe("A frame with our id that does not meet this is a message, not a reply."),
        skip: conditions.optional().describe("Frames with our id that precede the reply; they are messages."),
        final: conditions.optional().describe("Frames that end a request."),
        collect: collect.describe("Makes the reply an array of all frames with the id. Needs final."),
        errors: jsonErrors,
        answers: z.array(answer).optional().describe("Requests of the upstream's own, with our answers."),
      })
      .refine(({ final, collect }) => collect === undefined || final !== undefined, COLLECT_WITHOUT_FINAL),
    z
      .strictObject({
        preset: z.literal("text"),
        ...common,
        id: z
          .strictObject({
            out: pattern.describe("A pattern that finds the caller's id, or a template with $id and $message."),
            in: pattern.describe("A pattern that finds the id in replies."),
            kind: z.enum(TEXT_ID_KINDS).prefault("int").describe("The kind of ids."),
          })
          .superRefine(checkTextId)
          .optional()
          .describe("Where ids are, and what they are; without it, replies are correlated by order."),
        reply: pattern.optional().describe("A pattern of replies: other frames are messages."),
        skip: z
          .array(pattern)
          .min(1, "must have at least one pattern")
          .optional()
          .describe("Patterns of frames that precede the reply; they are messages."),
        final: z
          .array(pattern)
          .min(1, "must have at least one pattern")
          .optional()
          .describe("Patterns of frames that end a request."),
        collect: collect.describe("Makes the reply all frames up to the final one. Needs final."),
        errors: z
          .strictObject({
            when: pattern.describe("The errors that name no request."),
            do: z.enum(ERROR_DEEDS).describe("What becomes of the requests in flight."),
          })
          .optional()
          .describe("The way to treat an error that names no request. Needs id."),
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
      payload: z.record(z.string(), z.json()).optional().describe("The payload of connection_init."),
    }),
    z.strictObject({
      preset: z.literal("home-assistant"),
      ...common,
      token: z
        .string()
        .min(1, "must not be empty")
        .optional()
        .describe("The access token; without it, give a greeting."),
    }),
    z.strictObject({
      preset: z.literal("obs"),
      ...common,
      events: wholeNumber(0, 2 ** 31 - 1)
        .optional()
        .describe("The kinds of events to subscribe to, as a bit mask (EventSubscription)."),
      password: z.string().min(1, "must not be empty").optional().describe("The password of obs-websocket."),
    }),
  ])
  .meta({ id: "ProtocolOptions", description: "A preset with its options." });

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
    class: z
      .enum(["retry", "slow", "refuse"], "must be retry, slow or refuse")
      .optional()
      .describe("When the next attempt is made. By default refuse."),
  })
  .refine(isCondition, EMPTY_CONDITION);

const expectation = z
  .strictObject({
    ...conditionShape,
    match: scalarsByPointer
      .optional()
      .describe("As in a condition; an empty mapping, and nothing else, takes any frame."),
    reject: values.optional().describe("Short for a reject with this match beside expect."),
    within: duration.prefault("5s").describe("The time within which the frame must come."),
  })
  .refine(isCondition, EMPTY_CONDITION);

const expecting = {
  expect: expectation.describe("The frame to wait for."),
  reject: rejection.optional().describe("A frame that refuses; looked at before expect."),
};

export const greetingStep = z
  .union(
    [
      // First: a step without send must not be told that it is missing.
      z.strictObject(expecting),
      z.strictObject({
        send: jsonValue.describe("The message to send: a text, sent as it is, or a value, sent as JSON."),
        ...expecting,
        expect: expectation.optional().describe("The frame to wait for after it."),
      }),
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
  })
  .meta({ id: "GreetingStep", description: "A step of the greeting, which sends, expects, or both." });

function withoutReject<Expect extends { readonly reject?: unknown }>({ reject: _, ...rest }: Expect) {
  return rest;
}

/** A message in the upstream's protocol that requests a sign of life from its application. */
export const heartbeat = z.strictObject({
  send: z
    .json({ error: "must be a text, or a value to be sent as JSON" })
    .describe("The message: a text, sent as it is, or a value, sent as JSON."),
  every: duration.prefault("30s").describe("The time between heartbeats."),
  expect: condition.optional().describe("The reply; without it the heartbeat is only sent."),
  within: duration.prefault("10s").describe("The time within which the reply must come."),
});

/** True if answers of the protocol wait for a delivery. */
export function answersAfterDelivery(protocol: string | object): boolean {
  if (typeof protocol === "string" || !("answers" in protocol)) return false;
  const answers = (protocol.answers ?? []) as readonly { readonly after?: unknown }[];
  return answers.some(({ after }) => after !== undefined);
}
