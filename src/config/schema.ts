/**
 * The schema of the configuration file, the only place that has defaults.
 *
 * Settings keep the names of the file throughout the program. Parsed durations are milliseconds, parsed sizes bytes.
 */

import * as z from "zod";
import { clusterFaults, clusterSchema } from "./cluster-settings.ts";
import { isTemplate } from "./instance-settings.ts";
import { listenSchema } from "./listen-settings.ts";
import type { subscription } from "./subscription-settings.ts";
import { duration, durationOrZero, MAX_DURATION_MS, parseSize, size, wholeNumber } from "./units.ts";
import { upstreamSchema } from "./upstream-settings.ts";
import type { webhookSchema } from "./webhook-settings.ts";

/** Levels from the most verbose to the quietest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

const shutdownSchema = z
  .strictObject({
    delay: durationOrZero
      .prefault("0s")
      .describe("The time for which new requests are still served while readiness is 503."),
    drain: durationOrZero.prefault("3s").describe("The time for outstanding replies to come."),
    close: durationOrZero.prefault("2s").describe("The time for the upstream to answer the close frame."),
    flush: durationOrZero.prefault("1s").describe("The time for responses to be written."),
    join: durationOrZero.prefault("2s").describe("The time for the thread to end by itself."),
    kill: durationOrZero.prefault("500ms").describe("The time for the thread to end after it was terminated."),
    answer: durationOrZero.prefault("500ms").describe("The time for the report to be written to callers of /shutdown."),
  })
  .refine((bounds) => shutdownTotal(bounds) <= MAX_DURATION_MS, `adds up to more than ${MAX_DURATION_MS}ms`);

const repliesSchema = z.strictObject({
  keep: duration.prefault("5m").describe("The time for which a reply can be fetched, and a key is known."),
  count: wholeNumber(1, 1_000_000).prefault(10_000).describe("The most replies and keys that are kept."),
  bytes: size.prefault("16MiB").describe("The most bytes of replies that are kept."),
});

/** The least memory: below it, hardly one large reply has room. */
const MEMORY_MIN = "16MiB";

function isEnoughMemory(bytes: number): boolean {
  return bytes >= parseSize(MEMORY_MIN);
}

const limitsSchema = z.strictObject({
  memory: z
    .union([z.literal("auto"), size.refine(isEnoughMemory)], `must be auto, or a size of at least ${MEMORY_MIN}`)
    .prefault("auto")
    .describe(
      "The bytes that callers and upstreams can make the process hold; auto is a quarter of the heap or the container.",
    ),
});

const quotaSchema = z.strictObject({
  in_flight: wholeNumber(1, 1_000_000).optional().describe("The most requests in flight at each upstream."),
  bytes: size.optional().describe("The most bytes of messages in flight at all upstreams."),
  streams: wholeNumber(1, 1_000_000).optional().describe("The most streams of each upstream."),
  subscriptions: wholeNumber(1, 10_000).optional().describe("The most subscriptions at each upstream."),
  keys: wholeNumber(1, 1_000_000).optional().describe("The most Idempotency-Keys that live."),
  instances: wholeNumber(1, 100_000).optional().describe("The most instances of each upstream."),
});

const upstreamName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _ or -");

/** The configuration file. Without `upstreams` the service runs its demo. */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe("The place of this schema, for editors. It is not read."),
    listen: listenSchema.prefault({}).describe("The listener of the HTTP API."),
    upstreams: z
      .record(upstreamName, upstreamSchema)
      .refine(
        (all) => Object.keys(all).length > 0,
        "must have at least one upstream (leave the key out to run the demo)",
      )
      .superRefine((all, context) => {
        for (const [name, { failover, protocol }] of Object.entries(all)) {
          failover.forEach((other, index) => {
            const wrong = (message: string) =>
              context.addIssue({ code: "custom", path: [name, "failover", index], message });
            const equivalent = Object.hasOwn(all, other) ? all[other] : undefined;
            if (!equivalent || other === name) {
              const others = Object.keys(all).filter((each) => each !== name);
              wrong(`must be the name of another upstream (${others.join(", ") || "there is no other"})`);
            } else if (isTemplate(equivalent)) wrong("has no connection of its own, only instances");
            else if (JSON.stringify(equivalent.protocol) !== JSON.stringify(protocol))
              wrong("speaks another protocol: give both the same");
          });
        }
      })
      .optional()
      .describe("Upstreams by name. Without this key, the demo runs."),
    cluster: clusterSchema
      .optional()
      .describe("Lets several replicas share the connections of their upstreams, through NATS."),
    replies: repliesSchema
      .prefault({})
      .describe("Bounds of kept replies: late and asynchronous ones, and those with an Idempotency-Key."),
    limits: limitsSchema.prefault({}).describe("Bounds of the whole process."),
    quota: quotaSchema
      .prefault({})
      .describe("The most that the caller of one token may have, instead of its fair share."),
    shutdown: shutdownSchema.prefault({}).describe("The time limit of each step of the exit."),
    watch: z
      .boolean()
      .prefault(false)
      .describe("Looks every second whether this file, or a file that it names, has changed, and reloads it."),
  })
  .superRefine((config, context) => {
    for (const { path, what } of clusterFaults(config))
      context.addIssue({ code: "custom", path: [...path], message: what });
  });

/** Settings of the log. They are not in the file: they belong to the environment that starts the process. */
export const logSchema = z.strictObject({
  level: z.enum(LOG_LEVELS).prefault("info"),
  /** By default pretty on a terminal, else json. */
  format: z.enum(["pretty", "json"]).optional(),
});

export type { ClusterSettings } from "./cluster-settings.ts";
export type { ListenSettings } from "./listen-settings.ts";
export type SubscriptionSettings = z.output<typeof subscription>;
export type WebhookSettings = z.output<typeof webhookSchema>;
export type UpstreamSettings = z.output<typeof upstreamSchema>;
export type QuotaSettings = z.output<typeof quotaSchema>;
export type ProcessLimits = z.output<typeof limitsSchema>;
export type ReplySettings = z.output<typeof repliesSchema>;
/** The time limit of each step of the exit, in milliseconds. */
export type ShutdownBounds = z.output<typeof shutdownSchema>;
export type LogSettings = z.output<typeof logSchema>;

/** The longest time that the exit can take, in milliseconds. */
export function shutdownTotal(bounds: Readonly<Record<string, number>>): number {
  return Object.values(bounds).reduce((total, bound) => total + bound, 0);
}
