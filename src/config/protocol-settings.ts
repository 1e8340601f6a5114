/** The shape of what the configuration says of an upstream's dialect: its protocol, its greeting, its heartbeat. */

import { z } from "zod";
import { ERROR_DEEDS } from "../protocols/json.ts";
import { ID_KINDS } from "../protocols/json-id.ts";
import { type PresetName, presetNames } from "../protocols/presets.ts";
import { isTemplate, TEXT_ID_KINDS, templatePlaces } from "../protocols/text.ts";
import { duration, wholeNumber } from "./units.ts";

/** True for `./protocol-settings.js`, `/opt/dialect.js` and `file:` URLs: what is loaded as a module, not looked up as a preset. */
export function isModulePath(protocol: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}\\|[A-Za-z]:[\\/]|file:)/.test(protocol);
}

/** RFC 6901. The empty pointer is the whole message. */
const pointer = z.string().regex(/^(?:\/(?:[^~/]|~[01])*)*$/, "must be a JSON pointer, such as /id or /data/request");

export const scalarsByPointer = z.record(
  pointer,
  z.union([z.string(), z.number(), z.boolean(), z.null()], { error: "must be a text, a number, true, false or null" }),
);

export const memberPointer = pointer.min(1, "must be a JSON pointer to a member, such as /id");

const values = scalarsByPointer.refine((all) => Object.keys(all).length > 0, "must have at least one value");
const pointers = z.array(pointer).min(1, "must have at least one pointer");

/** The parts of a condition (see protocols/condition.ts); some things have them beside keys of their own. */
export const conditionShape = {
  /** Values by JSON pointer, exact in their JSON type. */
  match: values.optional(),
  /** Pointers at which there must be a value. */
  has: pointers.optional(),
  /** Pointers at which there must be none. */
  lacks: pointers.optional(),
};

/** True if a mapping with {@link conditionShape} has at least one part of a condition. */
export function isCondition({ match, has, lacks }: z.output<z.ZodObject<typeof conditionShape>>): boolean {
  return match !== undefined || has !== undefined || lacks !== undefined;
}

const EMPTY_CONDITION = "must say what to look at: match, has or lacks";

export const condition = z.strictObject(conditionShape).refine(isCondition, EMPTY_CONDITION);

const conditions = z.array(condition).min(1, "must have at least one condition");

/** That it is one is seen by load.ts: what compiles them is loaded only where there are some. */
const pattern = z.string().min(1, "must not be empty").max(1_000, "must have at most 1000 characters");

function checkTextId({ out, kind }: { out: string; kind: string }, context: z.RefinementCtx): void {
  const wrong = (message: string) => context.addIssue({ code: "custom", path: ["out"], message });
  if (!isTemplate(out)) return;
  if (kind === "keep") wrong("must be a pattern that finds the caller's own id, which is kept");
  else if (templatePlaces(out) !== "id message") wrong("must have $id and $message, each once");
}

const jsonValue = z.json({ error: "must be a text, or a value to be sent as JSON" });

const answer = z
  .strictObject({
    when: condition,
    /** A text goes out as it is, anything else as JSON. */
    send: jsonValue,
    /** Where in the answer → where in the request its value comes from. */
    copy: z.record(memberPointer, pointer).optional(),
  })
  .refine(({ send, copy }) => copy === undefined || (typeof send === "object" && send !== null), {
    path: ["copy"],
    error: "needs a send that is a mapping",
  });

const protocolOptions = z.discriminatedUnion("preset", [
  z.strictObject({ preset: z.literal("json-rpc") }),
  z
    .strictObject({
      preset: z.literal("json"),
      /** Where the id stands in requests (`out`) and in replies (`in`), and what it is made of. */
      id: z
        .strictObject({
          out: memberPointer.prefault("/id"),
          in: memberPointer.prefault("/id"),
          kind: z.enum(ID_KINDS).prefault("int"),
        })
        .prefault({}),
      /** What a frame with our id must be like to be a reply; else it is a message. */
      reply: condition.optional(),
      /** Frames with our id that come before the reply: messages. */
      skip: conditions.optional(),
      /** Frames that end a request. */
      final: conditions.optional(),
      /** The reply is an array of all frames with the id, of at most so many. */
      collect: z.strictObject({ frames: wholeNumber(1, 1_000_000).prefault(1000) }).optional(),
      /** What becomes of an error that names no request. */
      errors: z.strictObject({ when: condition, do: z.enum(ERROR_DEEDS) }).optional(),
      /** Requests of the upstream's own, and what answers them. */
      answers: z.array(answer).optional(),
    })
    .refine(({ final, collect }) => collect === undefined || final !== undefined, {
      path: ["collect"],
      error: "needs final: which frame is the last one",
    }),
  z
    .strictObject({
      preset: z.literal("text"),
      /** How ids go out and come back; without it the order decides. */
      id: z
        .strictObject({ out: pattern, in: pattern, kind: z.enum(TEXT_ID_KINDS).prefault("int") })
        .superRefine(checkTextId)
        .optional(),
      /** As for json, by patterns. */
      skip: z.array(pattern).min(1, "must have at least one pattern").optional(),
      final: z.array(pattern).min(1, "must have at least one pattern").optional(),
      errors: z.strictObject({ when: pattern, do: z.enum(ERROR_DEEDS) }).optional(),
    })
    .refine(({ preset: _, id, ...rules }) => id !== undefined || Object.keys(rules).length === 0, {
      path: ["id"],
      error: "is missing: without it nothing names a request",
    }),
  z.strictObject({ preset: z.literal("cdp") }),
  z.strictObject({ preset: z.literal("graphql-transport-ws"), payload: z.record(z.string(), z.json()).optional() }),
  z.strictObject({ preset: z.literal("home-assistant"), token: z.string().min(1, "must not be empty").optional() }),
  z.strictObject({
    preset: z.literal("obs"),
    events: wholeNumber(0, 2 ** 31 - 1).optional(),
    password: z.string().min(1, "must not be empty").optional(),
  }),
]);

const PROTOCOL_FORM = `must be a preset (${presetNames.join(", ")}), the path of a module (it starts with ./ or /), or { preset: … }`;

export const protocol = z.union(
  [
    z.string().refine((name) => isModulePath(name) || presetNames.includes(name as PresetName), PROTOCOL_FORM),
    protocolOptions,
  ],
  { error: PROTOCOL_FORM },
);

export const greetingStep = z.union(
  [
    /** A text goes out as it is, anything else as JSON. */
    z.strictObject({ send: jsonValue }),
    z.strictObject({
      expect: z
        .strictObject({
          ...conditionShape,
          reject: values.optional(),
          within: duration.prefault("5s"),
        })
        .refine(isCondition, EMPTY_CONDITION),
    }),
  ],
  { error: "must be { send: … } or { expect: { match: … } }" },
);

/** A message of the upstream's own dialect that asks its application for a sign of life. */
export const heartbeat = z.strictObject({
  send: z.json({ error: "must be a text, or a value to be sent as JSON" }),
  every: duration.prefault("30s"),
  /** What answers it; left out: it is only sent. */
  expect: condition.optional(),
  within: duration.prefault("10s"),
});
