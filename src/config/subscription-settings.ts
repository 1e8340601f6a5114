/** Schemas of a subscription, in the configuration and as callers create it. */

import * as z from "zod";
import { type Condition, placesOf } from "../protocols/condition.ts";
import { isGroup } from "../protocols/groups.ts";
import { needsIdToSend } from "../protocols/subscription-request.ts";
import { placeholdersIn } from "../secrets/placeholders.ts";
import {
  CONDITION_KEYS,
  checkGroups,
  condition,
  conditionShape,
  faultOfPlace,
  isCondition,
  memberPlace,
} from "./condition-settings.ts";
import { subscriptionName } from "./fields.ts";
import { anyJson } from "./recursive.ts";
import { duration } from "./units.ts";

/** True if every number is the one that was written: beyond 2^53 a parsed one may be another. */
function isExact(value: unknown): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isExact);
}

/** A message of ours: a text, which is sent as is, or a value, which is sent as JSON. */
export const message = (error: string) =>
  anyJson(error).refine(isExact, "has a number beyond 2^53, which would be rounded: write the message as a text");

/**
 * A subscription: its request and the condition for its messages, or a preset that has both. `$id` in `match`, `ended`
 * and `unsubscribe` stands for the value at `id` in the frame with which the upstream agrees.
 */
const subscriptionShape = {
  preset: z
    .literal("eth_subscribe")
    .optional()
    .describe("Subscriptions of Ethereum, which differ only in their parameters."),
  params: z
    .array(anyJson())
    .min(1, "must not be empty")
    .refine(isExact, "has a number beyond 2^53, which would be rounded: use request, as a text")
    .optional()
    .describe("The parameters of a preset, such as [newHeads]. Only with a preset, which needs them."),
  request: message("must be the message that subscribes")
    .optional()
    .describe("The message that subscribes: a text, sent as it is, or a value, sent as JSON. Not with a preset."),
  id: memberPlace
    .optional()
    .describe(
      "The place of the upstream's own id for the subscription in the frame with which it agrees: " +
        "a JSON pointer, or a group ($GROUP) of a pattern in agreed.",
    ),
  /** The condition that its messages meet. */
  ...conditionShape,
  unsubscribe: message("must be the message that unsubscribes")
    .optional()
    .describe("The message that unsubscribes; $id stands for the upstream's id."),
  agreed: z
    .union([condition, z.array(condition).min(1, "must have at least one condition")])
    .optional()
    .describe(
      "The confirmations, as replies or as messages; all of them must come. By default the reply, unless it refuses.",
    ),
  refused: condition.optional().describe("A reply or a message that refuses the request, beside the known forms."),
  ended: condition.optional().describe("The message with which the upstream ends the subscription."),
  renew: z
    .boolean()
    .optional()
    .describe("False for a request that does something: what may have been sent is never sent again."),
  silence: duration
    .optional()
    .describe("The longest time without a message of the subscription: after it, the request is repeated."),
};

type SubscriptionInput = z.output<z.ZodObject<typeof subscriptionShape>>;

const RECIPE_KEYS = ["request", "id", ...CONDITION_KEYS, "unsubscribe", "agreed", "refused"] as const;

function checkSubscription(given: SubscriptionInput, context: z.RefinementCtx): void {
  const wrong = (key: keyof SubscriptionInput, message: string) =>
    context.addIssue({ code: "custom", path: [key], message });
  if (given.preset) {
    if (given.params === undefined) wrong("params", "is missing: a list such as [newHeads]");
    for (const key of RECIPE_KEYS) if (given[key] !== undefined) wrong(key, "is set by the preset: leave it out");
  } else {
    if (given.request === undefined) wrong("request", "is missing: the message that subscribes, or a preset");
    if (!isCondition(given)) wrong("match", "is missing: a condition for its messages (match, has, text, any, …)");
    if (given.params !== undefined) wrong("params", "is only for a preset: leave it out");
  }
  checkGroups(given, context);
  const agreed = [given.agreed ?? []].flat();
  const faults = agreed.map(({ text }) => faultOfPlace(given.id ?? "", text));
  if (given.id !== undefined && isGroup(given.id) && faults.every((fault) => fault !== undefined))
    wrong("id", faults.findLast((fault) => fault) ?? "is a group of a pattern, and agreed has none");
  const namesId = (part: Condition | undefined) => part !== undefined && placesOf(part, "$id").length > 0;
  const needsId = namesId(given) || namesId(given.ended) || needsIdToSend(given.unsubscribe);
  if (given.id === undefined && !given.preset && needsId) {
    wrong("id", "is missing: $id stands for the value at this pointer in the reply");
  }
  for (const key of ["agreed", "refused"] as const) {
    if ([given[key] ?? []].flat().some(namesId)) wrong(key, "cannot have $id, which is not known yet");
  }
}

/** A subscription of the configuration, which has it under its name. */
export const subscription = z.strictObject(subscriptionShape).superRefine(checkSubscription).meta({
  id: "Subscription",
  description: "A standing request for messages, and the condition for them; or a preset that has both.",
});

/** A subscription as a caller creates it: its name, if any, is inside. */
export const subscriptionOrderSchema = z
  .strictObject({ name: subscriptionName.optional(), ...subscriptionShape })
  .superRefine(checkSubscription)
  .refine((order) => {
    const { files, credentials, captured, escapes } = placeholdersIn(order);
    return files.size === 0 && captured.size === 0 && !credentials && !escapes;
  }, "must have no ${file:…}, ${credentials:…} or ${conn:…}: they are for the configuration");
