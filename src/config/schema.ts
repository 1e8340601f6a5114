/**
 * The schema of the configuration file, the only place that has defaults.
 *
 * Settings keep the names of the file throughout the program. Parsed durations are milliseconds, parsed sizes bytes.
 */

import * as z from "zod";
import { placeholdersIn } from "../placeholders.ts";
import { type Condition, pointersOf } from "../protocols/condition.ts";
import type { GreetingStep } from "../protocols/preset.ts";
import { preset } from "../protocols/presets.ts";
import { needsIdToSend } from "../protocols/subscription-request.ts";
import { faultOfKey, KEY_MIN } from "../signing-key.ts";
import { misplacedPlaceholders } from "./placeholder-places.ts";
import {
  answersAfterDelivery,
  CONDITION_KEYS,
  condition,
  conditionShape,
  greetingStep,
  heartbeat,
  isCondition,
  isModulePath,
  memberPointer,
  protocol,
  scalarsByPointer,
} from "./protocol-settings.ts";
import { duration, durationOrOff, durationOrZero, MAX_DURATION_MS, parseSize, size, wholeNumber } from "./units.ts";
import {
  bareHost,
  HEADER_NAME,
  HEADER_VALUE,
  isHost,
  isPlaintextDelivery,
  isPlaintextSecret,
  needsCredentials,
  RESERVED_HEADER,
} from "./wire.ts";

/** Levels from the most verbose to the quietest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

const unique = (items: readonly string[]): boolean => new Set(items).size === items.length;

/** The class of a disconnect: retry soon, retry after some seconds, or retry only every `reconnect.refused`. */
const classes = (form: RegExp, error: string) =>
  z
    .record(z.string().regex(form, error), z.enum(["retry", "slow", "refuse"], "must be retry, slow or refuse"))
    .prefault({});

const headers = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, "must be a header name: letters, digits and hyphens")
      .refine((name) => !RESERVED_HEADER.test(name), "is reserved for the handshake (see subprotocols)"),
    z.string().regex(HEADER_VALUE, "must be one line of Latin-1 text, without control characters"),
  )
  .refine(
    (all) => unique(Object.keys(all).map((name) => name.toLowerCase())),
    "has the same header twice, in whatever case: leave one out",
  );

const subprotocols = z
  .array(z.string().regex(HEADER_NAME, "must be a token without spaces or commas"))
  .refine(unique, "has the same name twice: leave one out");

const url = z.string().superRefine((text, context) => {
  const wrong = (message: string) => context.addIssue({ code: "custom", message });
  if (!URL.canParse(text)) return wrong("must be a URL such as wss://example.org/socket");
  const { protocol: scheme } = new URL(text);
  if (scheme !== "ws:" && scheme !== "wss:") return wrong("must start with ws:// or wss://");
  if (text.includes("#")) return wrong("must not have a fragment: leave out # and what follows");
  if (new URL(text).host.includes("$")) return wrong("must have its host written out, without ${…}");
});

/** A host that an upstream may name: `*.` stands for one or more labels before at least two. */
const NAMED_HOST = /^(?:(?:\*\.[\w-]+\.)?[\w.-]+|\[[\da-f:]+\])(?::\d{1,5})?$/;

const subscriptionName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _, . or -");

/** True if every number is the one that was written: beyond 2^53 a parsed one may be another. */
function isExact(value: unknown): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isExact);
}

/** A message of ours: a text, which is sent as is, or a value, which is sent as JSON. */
const message = (error: string) =>
  z.json({ error }).refine(isExact, "has a number beyond 2^53, which would be rounded: write the message as a text");

/**
 * A subscription: its request and the condition for its messages, or a preset that has both. `$id` in `match`, `ended`
 * and `unsubscribe` stands for the value at `id` in the frame with which the upstream agrees.
 */
const subscriptionShape = {
  /** Subscriptions of Ethereum, which differ only in their parameters. */
  preset: z.literal("eth_subscribe").optional(),
  params: z
    .array(z.json())
    .min(1, "must not be empty")
    .refine(isExact, "has a number beyond 2^53, which would be rounded: use request, as a text")
    .optional(),
  /** The message that subscribes. */
  request: message("must be the message that subscribes").optional(),
  /** The place of the upstream's own id for the subscription in the frame with which it agrees. */
  id: memberPointer.optional(),
  /** The condition that its messages meet. */
  ...conditionShape,
  /** The message that unsubscribes. */
  unsubscribe: message("must be the message that unsubscribes").optional(),
  /** The confirmations, as replies or as messages; all of them must come. By default the reply, unless it refuses. */
  agreed: z.union([condition, z.array(condition).min(1, "must have at least one condition")]).optional(),
  /** A reply or a message that refuses the request, beside the forms that are known. */
  refused: condition.optional(),
  /** The message with which the upstream ends the subscription. */
  ended: condition.optional(),
  /** False for a request that does something: what may have been sent is never sent again. */
  renew: z.boolean().optional(),
  /** The longest time without a message of the subscription: after it, the request is repeated. */
  silence: duration.optional(),
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
  const namesId = (part: Condition | undefined) => part !== undefined && pointersOf(part, "$id").length > 0;
  const needsId = namesId(given) || namesId(given.ended) || needsIdToSend(given.unsubscribe);
  if (given.id === undefined && !given.preset && needsId) {
    wrong("id", "is missing: $id stands for the value at this pointer in the reply");
  }
  for (const key of ["agreed", "refused"] as const) {
    if ([given[key] ?? []].flat().some(namesId)) wrong(key, "cannot have $id, which is not known yet");
  }
}

/** A subscription of the configuration, which has it under its name. */
const subscription = z.strictObject(subscriptionShape).superRefine(checkSubscription);

/** A subscription as a caller creates it: its name, if any, is inside. */
export const subscriptionOrderSchema = z
  .strictObject({ name: subscriptionName.optional(), ...subscriptionShape })
  .superRefine(checkSubscription)
  .refine((order) => {
    const { files, credentials, escapes } = placeholdersIn(order);
    return files.size === 0 && !credentials && !escapes;
  }, "must have no ${file:…} or ${credentials:…}: they are for the configuration");

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
const webhookSchema = z.strictObject({
  url: webUrl,
  headers: headers.prefault({}),
  /** Allows credentials over http:// to a host that is not loopback. */
  allow_plaintext: z.boolean().prefault(false),
  /** Key that signs each batch (HMAC-SHA256 by Standard Webhooks); while you replace it, the new and the old one. */
  secret: z
    .union([signingKey, z.array(signingKey).min(1, "must have a key").max(2, "must have at most two keys")], {
      error: "must be a key, or a list of two",
    })
    .optional(),
  /** The subscription whose messages are pushed; without it, messages that belong to no subscription. */
  subscription: subscriptionName.optional(),
  /** Filter: only messages with these values, by JSON pointer. */
  where: scalarsByPointer.prefault({}),
  /** Filter: only messages that meet this condition. */
  when: condition.optional(),
  /** The start of the first batch. */
  after: z.enum(["earliest", "latest"]).prefault("earliest"),
  /** The maximum number of messages in a batch. */
  batch: wholeNumber(1, 1_000).prefault(100),
  /** Time within which the receiver must acknowledge a batch. */
  timeout: duration.prefault("10s"),
  /** Time for which a message that the receiver refuses (400, 413, 415, 422) is repeated; null for ever. */
  give_up_after: duration.nullable().prefault("15s"),
});

/** One upstream: its address, its login and its limits. */
export const upstreamSchema = z
  .strictObject({
    url,
    /** Allows credentials over ws:// to a non-loopback host. */
    allow_plaintext: z.boolean().prefault(false),
    /** Makes readiness depend on it. */
    required: z.boolean().prefault(true),
    /** Names of equivalent upstreams, tried in order with requests that were certainly not sent to this one. */
    failover: z.array(z.string()).refine(unique, "has the same name twice: leave one out").prefault([]),
    /** Path of a PEM file with the certificates to trust instead of the default ones. */
    ca: z.string().min(1, "must be the path of a PEM file").optional(),
    headers: headers.prefault({}),
    /** Path of a module whose function returns the values of `${credentials:NAME}` for each connection attempt. */
    credentials: z.string().refine(isModulePath, "must be the path of a module (it starts with ./ or /)").optional(),
    /** By default those of the protocol. */
    subprotocols: subprotocols.optional(),
    protocol: protocol.prefault("json-rpc"),
    /** Time for DNS, TCP, TLS and upgrade together. */
    connect_within: duration.prefault("10s"),
    /** A host with several addresses: the delays of RFC 8305, at most a twentieth and a tenth of connect_within. */
    addresses: z
      .strictObject({
        /** Time to wait for the addresses of IPv6 once those of IPv4 are known. */
        ipv6_wait: durationOrZero.prefault("50ms"),
        /** Time after which the next address is tried as well. */
        next_after: duration.prefault("250ms"),
      })
      .prefault({}),
    /** Steps to run on every connection before it counts as ready. By default those of the protocol. */
    greeting: z.array(greetingStep).optional(),
    limits: z
      .strictObject({
        in_flight: wholeNumber(1, 1_000_000).prefault(1024),
        /** The most messages in one batch. */
        batch_items: wholeNumber(1, 100_000).prefault(1024),
        request_bytes: size.prefault("1MiB"),
        reply_bytes: size.prefault("16MiB"),
        /** The longest pause between two frames of one reply. */
        reply_pause: duration.prefault("60s"),
        buffered_bytes: size.prefault("16MiB"),
        subscriptions: wholeNumber(0, 10_000).prefault(100),
        /** Rate limit: at most `messages` in any span of `per` plus `jitter`; up to `queue` more wait their turn. */
        pace: z
          .strictObject({
            messages: wholeNumber(1, 100_000),
            per: duration.prefault("1s"),
            queue: wholeNumber(0, 1_000_000).prefault(100),
            /** The most by which one message may be delayed on its way more than another. */
            jitter: durationOrZero.prefault("100ms"),
            /** The frames that count: those of callers and subscriptions, or all that go out. */
            counts: z.enum(["messages", "all"], "must be messages or all").prefault("messages"),
          })
          .nullable()
          .prefault(null),
      })
      .refine(({ request_bytes, buffered_bytes }) => request_bytes <= buffered_bytes, {
        path: ["buffered_bytes"],
        error: "must not be smaller than limits.request_bytes: the largest message could never be sent",
      })
      .prefault({}),
    /** Checks that detect a dead peer. */
    keepalive: z
      .strictObject({
        /** Time between pings; `off` sends none. */
        ping: durationOrOff.prefault("15s"),
        pong_within: duration.prefault("5s"),
        heartbeat: heartbeat.nullable().prefault(null),
        /** The longest time without a message or ping from the peer. */
        silence: duration.nullable().prefault(null),
      })
      .prefault({}),
    reconnect: z
      .strictObject({
        from: duration.prefault("200ms"),
        to: duration.prefault("30s"),
        /** Time between attempts after the upstream refused the connection: a rotated token needs no restart. */
        refused: duration.prefault("60s"),
        /** Exceptions to the classes of docs/configuration.md or of the preset, by close code and by upgrade status. */
        codes: classes(/^[1-4]\d{3}$/, "must be a close code from 1000 to 4999"),
        statuses: classes(/^[1-5]\d{2}$/, "must be an HTTP status"),
        /** Replaces the connection at an age, or on a matching message: the next one is opened before it is left. */
        rotate: z
          .strictObject({
            every: duration.optional(),
            on: condition.optional(),
            /** Time for the old connection to deliver its outstanding replies. */
            drain: duration.prefault("30s"),
          })
          .refine(({ every, on }) => every !== undefined || on !== undefined, "must have every or on")
          .nullable()
          .prefault(null),
        /** Connects next to the address that a message names, if its host is listed; otherwise, and later, to url. */
        to_address: z
          .strictObject({
            /** The messages that name one. */
            on: condition,
            /** The place of the address in them. */
            at: memberPointer,
            hosts: z
              .array(
                z
                  .string()
                  .toLowerCase()
                  .regex(NAMED_HOST, "must be a host such as example.org, example.org:8443 or *.example.org"),
              )
              .min(1, "must have at least one host"),
          })
          .nullable()
          .prefault(null),
      })
      .refine(({ from, to }) => from <= to, { path: ["from"], error: "must not be longer than reconnect.to" })
      .prefault({}),
    /** Bounds of each journal of unsolicited messages, and of its concurrent readers. */
    messages: z
      .strictObject({
        count: wholeNumber(1, 10_000_000).prefault(10_000),
        bytes: size.prefault("16MiB"),
        readers: wholeNumber(1, 1_000_000).prefault(10_000),
      })
      .prefault({}),
    /** Subscriptions by name, renewed on every connection; each has its own journal. */
    subscriptions: z.record(subscriptionName, subscription).prefault({}),
    webhooks: z.array(webhookSchema).prefault([]),
    /** The close code that is sent. Reserved codes must not be (RFC 6455, section 7.4). */
    close_code: wholeNumber(1000, 4999)
      .refine((code) => code <= 1001 || code >= 3000, "must be 1000, 1001, or from 3000 to 4999")
      .prefault(1001),
  })
  .refine((upstream) => upstream.credentials !== undefined || !needsCredentials(upstream), {
    path: ["credentials"],
    error: "is missing: ${credentials:…} needs a module that returns its value",
  })
  .refine((upstream) => upstream.allow_plaintext || !isPlaintextSecret(upstream), {
    path: ["url"],
    error: "would send credentials in the clear: use wss://, or set allow_plaintext: true",
  })
  .superRefine((upstream, context) => {
    for (const { path, what } of misplacedPlaceholders(upstream))
      context.addIssue({ code: "custom", path: [...path], message: what });
    const { webhooks, subscriptions } = upstream;
    if (webhooks.length === 0) {
      for (const path of answersAfterDelivery(upstream.protocol)) {
        const message = "can never be: this upstream has no webhook that delivers the message";
        context.addIssue({ code: "custom", path: ["protocol", ...path], message });
      }
    }
    webhooks.forEach((webhook, index) => {
      if (webhook.allow_plaintext || !isPlaintextDelivery(webhook)) return;
      const message = "would send credentials in the clear: use https://, or set allow_plaintext: true";
      context.addIssue({ code: "custom", path: ["webhooks", index, "url"], message });
    });
    webhooks.forEach(({ subscription: name }, index) => {
      if (name === undefined || Object.hasOwn(subscriptions, name)) return;
      const known = Object.keys(subscriptions).join(", ") || "there are none";
      const message = `is not among this upstream's subscriptions (${known})`;
      context.addIssue({ code: "custom", path: ["webhooks", index, "subscription"], message });
    });
  })
  .transform(({ protocol, subprotocols, greeting, reconnect, ...rest }, context) => {
    const brought = preset(protocol);
    if (brought && greeting === undefined && brought.greeting === null) {
      const message = "needs its token ({ preset: …, token: … }) or a greeting that logs in";
      context.addIssue({ code: "custom", path: ["protocol"], message });
    }
    const steps: readonly GreetingStep[] = greeting ?? brought?.greeting ?? [];
    const codes: typeof reconnect.codes = { ...brought?.codes, ...reconnect.codes };
    return {
      ...rest,
      protocol,
      subprotocols: subprotocols ?? [...(brought?.subprotocols ?? [])],
      greeting: steps,
      reconnect: { ...reconnect, codes },
    };
  });

const listenSchema = z.strictObject({
  host: z
    .string()
    .refine(isHost, "must be an address or a host name, without a port")
    .transform(bareHost)
    .prefault("127.0.0.1"),
  /** The port to listen on; 0 picks a free one. */
  port: wholeNumber(0, 65535).prefault(8787),
  /** Allowed values of `Host`, besides the loopback names. */
  hosts: z
    .array(
      z
        .string()
        .regex(/^[\w.:[\]-]+$/, "must be a host name, with or without a port")
        .toLowerCase(),
    )
    .prefault([]),
  /** Web origins that may call from a browser. `*` is not supported. */
  origins: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/, "must be an origin such as https://example.org"))
    .prefault([]),
  keep_alive: duration.prefault("75s"),
  /** The maximum number of open connections: more are closed on arrival. */
  connections: wholeNumber(1, 1_000_000).prefault(20_000),
});

const shutdownSchema = z
  .strictObject({
    delay: durationOrZero.prefault("0s"),
    drain: durationOrZero.prefault("3s"),
    close: durationOrZero.prefault("2s"),
    flush: durationOrZero.prefault("1s"),
    join: durationOrZero.prefault("2s"),
    kill: durationOrZero.prefault("500ms"),
    answer: durationOrZero.prefault("500ms"),
  })
  .refine((bounds) => shutdownTotal(bounds) <= MAX_DURATION_MS, `adds up to more than ${MAX_DURATION_MS}ms`);

/** Bounds of kept replies: late and asynchronous ones, and those with an Idempotency-Key. */
const repliesSchema = z.strictObject({
  keep: duration.prefault("5m"),
  count: wholeNumber(1, 1_000_000).prefault(10_000),
  bytes: size.prefault("16MiB"),
});

/** The least memory: below it, hardly one large reply has room. */
const MEMORY_MIN = "16MiB";

function isEnoughMemory(bytes: number): boolean {
  return bytes >= parseSize(MEMORY_MIN);
}

/** Bounds of the whole process. */
const limitsSchema = z.strictObject({
  /** The bytes that callers and upstreams can make it hold; by default a quarter of the heap or the container. */
  memory: z
    .union([z.literal("auto"), size.refine(isEnoughMemory)], `must be auto, or a size of at least ${MEMORY_MIN}`)
    .prefault("auto"),
});

/** The most that the caller of one token may have, instead of its fair share. */
const quotaSchema = z.strictObject({
  /** Requests in flight at each upstream. */
  in_flight: wholeNumber(1, 1_000_000).optional(),
  /** Bytes of messages in flight at all upstreams. */
  bytes: size.optional(),
  /** Streams of each upstream. */
  streams: wholeNumber(1, 1_000_000).optional(),
  /** Subscriptions at each upstream. */
  subscriptions: wholeNumber(1, 10_000).optional(),
  /** Idempotency-Keys that live. */
  keys: wholeNumber(1, 1_000_000).optional(),
});

const upstreamName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _ or -");

/** The configuration file. Without `upstreams` the service runs its demo. */
export const configSchema = z.strictObject({
  listen: listenSchema.prefault({}),
  upstreams: z
    .record(upstreamName, upstreamSchema)
    .refine((all) => Object.keys(all).length > 0, "must have at least one upstream (leave the key out to run the demo)")
    .superRefine((all, context) => {
      for (const [name, { failover, protocol }] of Object.entries(all)) {
        failover.forEach((other, index) => {
          const wrong = (message: string) =>
            context.addIssue({ code: "custom", path: [name, "failover", index], message });
          const equivalent = Object.hasOwn(all, other) ? all[other] : undefined;
          if (!equivalent || other === name) {
            const others = Object.keys(all).filter((each) => each !== name);
            wrong(`must be the name of another upstream (${others.join(", ") || "there is no other"})`);
          } else if (JSON.stringify(equivalent.protocol) !== JSON.stringify(protocol))
            wrong("speaks another protocol: give both the same");
        });
      }
    })
    .optional(),
  replies: repliesSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  quota: quotaSchema.prefault({}),
  shutdown: shutdownSchema.prefault({}),
});

/** Settings of the log. They are not in the file: they belong to the environment that starts the process. */
export const logSchema = z.strictObject({
  level: z.enum(LOG_LEVELS).prefault("info"),
  /** By default pretty on a terminal, else json. */
  format: z.enum(["pretty", "json"]).optional(),
});

export type SubscriptionSettings = z.output<typeof subscription>;
export type WebhookSettings = z.output<typeof webhookSchema>;
export type UpstreamSettings = z.output<typeof upstreamSchema>;
/** An upstream as the file has it: durations and sizes with units, defaults left out. */
export type UpstreamInput = z.input<typeof upstreamSchema>;
export type ListenSettings = z.output<typeof listenSchema>;
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
