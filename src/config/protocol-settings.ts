/** Schemas of an upstream's protocol, greeting and heartbeat. */

import * as z from "zod";
import type { Dialect } from "../protocols/dialect.ts";
import { DIALECTS, type DialectName } from "../protocols/dialects.ts";
import { ALL_OF_MAX } from "../protocols/frame-rules.ts";
import {
  FAREWELL_STEP_MS,
  type FarewellStep,
  type GreetingStep,
  type Rejection,
  STEP_MS,
} from "../protocols/preset.ts";
import { type PresetName, presetNames } from "../protocols/presets.ts";
import { needsAlias, needsIdToSend } from "../protocols/subscription-request.ts";
import { isTemplate, namesRequest, TEXT_ID_KINDS, type TextIds, templatePlaces } from "../protocols/text.ts";
import { idPattern } from "../protocols/text-ids.ts";
import { ERROR_DEEDS } from "../protocols/unnamed-errors.ts";
import { answers, jsonValue } from "./answer-settings.ts";
import {
  CONDITION_FORM,
  checkCondition,
  condition,
  conditionShape,
  fromPattern,
  scalarsByPlace,
  textPattern,
  values,
} from "./condition-settings.ts";
import { checkBinary, frames } from "./frame-settings.ts";
import { jsonId } from "./id-settings.ts";
import { anyJson } from "./recursive.ts";
import { closest } from "./suggestions.ts";
import { duration, durationOrValue, wholeNumber } from "./units.ts";

/**
 * True for the path of a module, such as `./mine.js`, `/opt/mine.js` or a `file:` URL; false for the name of a preset.
 */
export function isModulePath(protocol: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}\\|[A-Za-z]:[\\/]|file:)/.test(protocol);
}

const conditions = z.array(condition).min(1, "must have at least one condition");

/** The end of a request: one of several rules, or all of them in any order. */
const allOf = conditions.max(ALL_OF_MAX, `must have at most ${ALL_OF_MAX} of them`);
const final = z
  .union(
    [conditions, z.strictObject({ all_of: allOf.describe("All must have been met, in any order, by any frames.") })],
    { error: "must be a list of conditions, one of which ends a request, or { all_of: [ … ] }" },
  )
  .optional()
  .describe("The frames that end a request: one that meets one of these, or with all_of all that must come.");

/** A pattern of ids, or a template. */
const idText = z
  .string()
  .min(1, "must not be empty")
  .max(1_000, { error: "must have at most 1000 characters", abort: true });

function checkTextId({ out, in: into, kind }: TextIds, context: z.RefinementCtx): void {
  checkIdPattern("in", into, context);
  const refuse = (message: string) => context.addIssue({ code: "custom", path: ["out"], message });
  if (!isTemplate(out)) checkIdPattern("out", out, context);
  else if (kind === "keep") refuse("must be a pattern that finds the caller's own id, which is kept");
  else if (templatePlaces(out) !== "id message") refuse("must have $id and $message, each once");
}

function checkTextCancel(
  { id, cancel }: { readonly id?: object | undefined; readonly cancel?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (cancel === undefined || namesRequest(cancel) === (id !== undefined)) return;
  const message = id ? "must have $id, where the request's id goes" : "has $id, and needs id: where ids are";
  context.addIssue({ code: "custom", path: ["cancel"], message });
}

function checkIdPattern(key: string, pattern: string, context: z.RefinementCtx): void {
  try {
    idPattern(pattern);
  } catch (error) {
    context.addIssue({ code: "custom", path: [key], message: (error as Error).message });
  }
}

interface JsonIds {
  readonly correlation: "id" | "order";
  readonly id?: { readonly alias?: unknown } | undefined;
  readonly errors?: unknown;
  readonly cancel?: unknown;
}

/** Refuses what needs ids that are not there. */
function checkJsonIds({ correlation, id, errors, cancel }: JsonIds, context: z.RefinementCtx): void {
  const refuse = (key: keyof JsonIds, message: string) => context.addIssue({ code: "custom", path: [key], message });
  const hasId = cancel !== undefined && needsIdToSend(cancel);
  const hasAlias = cancel !== undefined && needsAlias(cancel);
  if (correlation === "order") {
    if (id !== undefined) refuse("id", "is for correlation: id");
    if (errors !== undefined) refuse("errors", "is for correlation: id: without ids, an error is a reply");
    if (hasId || hasAlias) refuse("cancel", "has an id, which is for correlation: id");
    return;
  }
  if (cancel !== undefined && !hasId && !hasAlias) {
    refuse("cancel", "must have $id, where the request's id goes, or $alias");
  }
  if (hasAlias && id?.alias === undefined) refuse("cancel", "has $alias, and needs id.alias: where that is");
}

const COLLECT_WITHOUT_FINAL = { path: ["collect"], error: "needs final: which frame is the last one" };

/** The options of every preset. */
const common = {
  frames,
  answers,
  ignore: conditions.optional().describe("Frames that are neither messages nor replies: they are only counted."),
  sends: conditions.optional().describe("Messages of callers that nothing answers: they are done once written."),
};

const optionalText = z.string().min(1, "must not be empty").optional();

const collect = z
  .strictObject({
    frames: wholeNumber(1, 1_000_000)
      .prefault(1000)
      .describe("The most frames of a reply; more fail with invalid_reply."),
  })
  .optional();

const errors = z
  .strictObject({
    when: condition.describe("The errors that name no request."),
    do: z.enum(ERROR_DEEDS).describe("The fate of the requests in flight."),
  })
  .optional()
  .describe("The way to treat an error that names no request.");

/** A dialect with its options, which are texts. */
const dialectOptions = (Object.keys(DIALECTS) as DialectName[]).map((name) => {
  const { options = {}, forms = {} }: Pick<Dialect, "options" | "forms"> = DIALECTS[name];
  const texts = Object.entries(options).map(([key, what]) => {
    const form = forms[key];
    const fits = (text: string | undefined) => text === undefined || form === undefined || form.pattern.test(text);
    return [key, optionalText.refine(fits, form?.must).describe(what)] as const;
  });
  return z.strictObject({ preset: z.literal(name), ...common, ...Object.fromEntries(texts) });
});

const PRESETS = presetNames.join(", ");
const PROTOCOL_FORM = `must be a preset (${PRESETS}), the path of a module (it starts with ./ or /), or { preset: … }`;

/** The fault of a name that is no preset, with the one that was meant if one is near. */
function presetFault(name: unknown): string {
  if (name === undefined) return "is missing";
  const close = typeof name === "string" ? closest(name, presetNames) : undefined;
  return close === undefined ? `must be a preset (${PRESETS})` : `is not a preset (did you mean ${close}?)`;
}

const protocolOptions = z
  .discriminatedUnion(
    "preset",
    [
      z.strictObject({ preset: z.literal("json-rpc"), errors, ...common }),
      z
        .strictObject({
          preset: z.literal("json"),
          ...common,
          correlation: z
            .enum(["id", "order"])
            .prefault("id")
            .describe("How a reply finds its request: by an id, or by order, with one request at a time."),
          id: jsonId.optional().describe("The places of ids, and their kind."),
          reply: condition
            .optional()
            .describe("A frame with our id that does not meet this is a message, not a reply."),
          skip: conditions.optional().describe("Frames with our id that precede the reply; they are messages."),
          final,
          collect: collect.describe("Makes the reply an array of all frames with the id. Needs final."),
          cancel: jsonValue
            .optional()
            .describe(
              "The message that ends a request which nobody reads any more; $id is its id, $alias the upstream's.",
            ),
          errors,
        })
        .refine(({ final, collect }) => collect === undefined || final !== undefined, COLLECT_WITHOUT_FINAL)
        .superRefine(checkJsonIds),
      z
        .strictObject({
          preset: z.literal("text"),
          ...common,
          id: z
            .strictObject({
              out: idText.describe("A pattern that finds the caller's id, or a template with $id and $message."),
              in: idText.describe("A pattern that finds the id in replies."),
              kind: z.enum(TEXT_ID_KINDS).prefault("int").describe("The kind of ids."),
            })
            .superRefine(checkTextId)
            .optional()
            .describe("The places of ids, and their kind; without it, replies are correlated by order."),
          reply: condition.optional().describe("The frames that are replies: others are messages."),
          skip: conditions.optional().describe("Frames that precede the reply; they are messages."),
          final,
          collect: collect.describe("Makes the reply all frames up to the final one. Needs final."),
          cancel: idText
            .optional()
            .describe("The line that ends a request which nobody reads any more; with id, $id is its id."),
          errors: errors.describe("The way to treat an error that names no request. Needs id."),
        })
        .refine(({ id, errors }) => id !== undefined || errors === undefined, {
          path: ["errors"],
          error: "needs id: without ids, the error is the reply to the request that waits",
        })
        .superRefine(checkTextCancel)
        .refine(({ final, collect }) => collect === undefined || final !== undefined, COLLECT_WITHOUT_FINAL),
      z.strictObject({ preset: z.literal("cdp"), ...common }),
      z.strictObject({
        preset: z.literal("graphql-transport-ws"),
        ...common,
        payload: z.record(z.string(), anyJson()).optional().describe("The payload of connection_init."),
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
      ...dialectOptions,
    ],
    { error: (issue) => (issue.code === "invalid_union" ? presetFault(Object(issue.input).preset) : undefined) },
  )
  .superRefine(checkBinary)
  .meta({ id: "ProtocolOptions", description: "A preset with its options." });

export const protocol = z.union(
  [
    z.string().refine((name) => isModulePath(name) || presetNames.includes(name as PresetName), {
      error: ({ input }) => (closest(String(input), presetNames) ? presetFault(input) : PROTOCOL_FORM),
    }),
    protocolOptions,
  ],
  { error: PROTOCOL_FORM },
);

/** A condition that ends the greeting, and when the next attempt is made. */
const rejection = z
  .union(
    [
      textPattern,
      z
        .strictObject({
          ...conditionShape,
          class: z
            .enum(["retry", "slow", "refuse"], "must be retry, slow or refuse")
            .optional()
            .describe("When the next attempt is made. By default refuse."),
        })
        .superRefine(checkCondition),
    ],
    CONDITION_FORM,
  )
  .transform((given): Rejection => fromPattern(given));

const expectation = z
  .union(
    [
      textPattern,
      z
        .strictObject({
          ...conditionShape,
          match: scalarsByPlace
            .optional()
            .describe("As in a condition; an empty mapping, and nothing else, takes any frame."),
          reject: values.optional().describe("Short for a reject with this match beside expect."),
          within: duration.prefault("5s").describe("The time within which the frame must come."),
        })
        .superRefine(checkCondition),
    ],
    CONDITION_FORM,
  )
  .transform((given) => (typeof given === "string" ? { text: given, within: STEP_MS } : given));

const first = z
  .boolean()
  .optional()
  .describe("True: only on a connection that begins anew. False: only on one that resumes.");

const expecting = {
  first,
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
    if (!expect) return sending;
    const { reject: values, ...rest } = expect;
    const rejected = reject ?? (values && { match: values });
    return { ...sending, expect: { ...rest, ...(rejected && { reject: rejected }) } };
  })
  .meta({ id: "GreetingStep", description: "A step of the greeting, which sends, expects, or both." });

export const farewellStep = z
  .strictObject({
    send: jsonValue.optional().describe("The message to send: a text, sent as it is, or a value, sent as JSON."),
    expect: z
      .union(
        [
          textPattern,
          z
            .strictObject({
              ...conditionShape,
              within: duration.prefault("1s").describe("The time within which the frame must come."),
            })
            .superRefine(checkCondition),
        ],
        CONDITION_FORM,
      )
      .transform((given) => (typeof given === "string" ? { text: given, within: FAREWELL_STEP_MS } : given))
      .optional()
      .describe("The frame to wait for after it; without it in its time, the farewell goes on."),
  })
  .refine(({ send, expect }) => send !== undefined || expect !== undefined, "must have send or expect")
  .transform((given): FarewellStep => given)
  .meta({ id: "FarewellStep", description: "A step of the farewell, which sends, expects, or both." });

/** A message in the upstream's protocol that requests a sign of life from its application. */
export const heartbeat = z.strictObject({
  send: anyJson("must be a text, or a value to be sent as JSON").describe(
    "The message: a text, sent as it is, or a value, sent as JSON.",
  ),
  every: durationOrValue.prefault("30s").describe("The time between heartbeats; or ${conn:NAME} and a unit."),
  expect: condition.optional().describe("The reply; without it the heartbeat is only sent."),
  within: duration.prefault("10s").describe("The time within which the reply must come."),
});
