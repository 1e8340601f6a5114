/** The ids of webhooks, the same at every replica: their receivers and subscriptions, as a reload knows them, too. */
import { createHash } from "node:crypto";
import type { WebhookSettings } from "../config/schema.ts";

type Receiver = Pick<WebhookSettings, "url" | "subscription">;

/** One id for each, in order. Several with one receiver and subscription differ by their order. */
export function webhookIds(webhooks: readonly Receiver[]): readonly string[] {
  const counts = new Map<string, number>();
  return webhooks.map(({ url, subscription = "" }) => {
    const receiver = JSON.stringify([url, subscription]);
    const count = counts.get(receiver) ?? 0;
    counts.set(receiver, count + 1);
    // The text may have a secret in its path.
    return createHash("sha256").update(`${receiver}${count}`).digest("base64url").slice(0, 22);
  });
}
