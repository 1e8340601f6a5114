/** Schema of a webhook. */

import * as z from "zod";
import { placeholdersIn } from "../secrets/placeholders.ts";
import { faultOfKey, KEY_MIN } from "../secrets/signing-key.ts";
import { condition, scalarsByPointer } from "./condition-settings.ts";
import { headers, subscriptionName } from "./fields.ts";
import { proxy } from "./proxy-settings.ts";
import { duration, wholeNumber } from "./units.ts";

const webUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: "must be an http:// or https:// URL",
    // The other checks can only look at a URL.
    abort: true,
  })
  .refine((text) => !new URL(text).host.includes("$"), "must have its host written out, without ${…}")
  .refine((text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  }, "must not contain credentials: use headers");

/** A key with a placeholder is checked when a delivery has resolved it. */
const signingKey = z
  .string()
  .min(KEY_MIN, { error: `must have at least ${KEY_MIN} characters`, abort: true })
  .superRefine((key, context) => {
    const fault = placeholdersIn(key).files.size > 0 ? undefined : faultOfKey(key);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  });

/** A receiver that messages are pushed to. Only the configuration can name one, never a request. */
export const webhookSchema = z.strictObject({
  url: webUrl.describe("The receiver: an http:// or https:// URL without credentials, its host written out."),
  headers: headers.prefault({}).describe("Headers of each delivery, by name."),
  allow_plaintext: z
    .boolean()
    .prefault(false)
    .describe("Allows credentials over http:// to a host that is not loopback."),
  proxy: proxy.describe("The proxy to the receiver, as that of an upstream."),
  secret: z
    .union([signingKey, z.array(signingKey).min(1, "must have a key").max(2, "must have at most two keys")], {
      error: "must be a key, or a list of two",
    })
    .optional()
    .describe("Signs each batch (HMAC-SHA256 by Standard Webhooks); while you replace it, the new and the old key."),
  subscription: subscriptionName
    .optional()
    .describe("The subscription whose messages are pushed; without it, those that belong to no subscription."),
  where: scalarsByPointer
    .prefault({})
    .describe("Filter: only messages with these values, by JSON pointer, compared as text."),
  when: condition.optional().describe("Filter: only messages that meet this condition."),
  after: z.enum(["earliest", "latest"]).prefault("earliest").describe("The start of the first batch."),
  batch: wholeNumber(1, 1_000).prefault(100).describe("The most messages in a batch."),
  timeout: duration.prefault("10s").describe("The time within which the receiver must acknowledge a batch."),
  replies: z
    .boolean()
    .prefault(false)
    .describe("Sends the body of the receiver's response as the reply to a message that wants one, delivered alone."),
  give_up_after: duration
    .nullable()
    .prefault("15s")
    .describe("How long a message that the receiver refuses (400, 413, 415, 422) is repeated; null for ever."),
});
