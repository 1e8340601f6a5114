/**
 * The shape of the configuration file, and the only place where defaults live. Names are those of the file,
 * from reading to use: nothing renames them. Parsed durations are milliseconds, parsed sizes are bytes.
 */

import { z } from "zod";
import type { GreetingStep } from "../protocols/preset.ts";
import { preset } from "../protocols/presets.ts";
import {
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
import { duration, durationOrZero, MAX_DURATION_MS, size, wholeNumber } from "./units.ts";
import {
  bareHost,
  HEADER_NAME,
  HEADER_VALUE,
  isHost,
  isPlaintextSecret,
  needsCredentials,
  RESERVED_HEADER,
} from "./wire.ts";

/** From the most talkative to the quietest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

const unique = (items: readonly string[]): boolean => new Set(items).size === items.length;

/** How to go on after an end: soon, not before some seconds, or only every `reconnect.refused`. */
const classes = (form: RegExp, error: string) =>
  z
    .record(z.string().regex(form, error), z.enum(["retry", "slow", "refuse"], "must be retry, slow or refuse"))
    .prefault({});

const headers = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, "must be a header name: letters, digits and hyphens")
      .refine((name) => !RESERVED_HEADER.test(name), "belongs to the handshake and cannot be set (see subprotocols)"),
    z.string().regex(HEADER_VALUE, "must be one line of Latin-1 text, without control characters"),
  )
  .refine((all) => unique(Object.keys(all).map((name) => name.toLowerCase())), "has the same header twice");

const subprotocols = z
  .array(z.string().regex(HEADER_NAME, "must be a token without spaces or commas"))
  .refine(unique, "has the same name twice");

const url = z.string().superRefine((text, context) => {
  const wrong = (message: string) => context.addIssue({ code: "custom", message });
  if (!URL.canParse(text)) return wrong("must be a URL such as wss://example.org/socket");
  const { protocol: scheme } = new URL(text);
  if (scheme !== "ws:" && scheme !== "wss:") return wrong("must start with ws:// or wss://");
  if (text.includes("#")) return wrong("must not have a fragment (#)");
  if (new URL(text).host.includes("$")) return wrong("must have its host in the configuration itself, without ${…}");
});

const subscriptionName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _, . or -");

/**
 * A standing subscription: its request and how to know its messages, or a preset that knows both. `$id` in `match` and
 * `unsubscribe` stands for what the upstream's reply has at `id`.
 */
const subscriptionShape = {
  /** Ethereum's own way, of which only the parameters differ. */
  preset: z.literal("eth_subscribe").optional(),
  params: z.array(z.json()).min(1, "must not be empty").optional(),
  /** The message that subscribes. */
  request: z.json({ error: "must be the message that subscribes" }).optional(),
  /** Where the reply says what the upstream calls the subscription. */
  id: memberPointer.optional(),
  /** The condition that its messages meet. */
  ...conditionShape,
  /** The message that takes it back. */
  unsubscribe: z.json({ error: "must be the message that unsubscribes" }).optional(),
};

type SubscriptionInput = z.output<z.ZodObject<typeof subscriptionShape>>;

const RECIPE_KEYS = ["request", "id", "match", "has", "lacks", "unsubscribe"] as const;

function checkSubscription(given: SubscriptionInput, context: z.RefinementCtx): void {
  const wrong = (key: keyof SubscriptionInput, message: string) =>
    context.addIssue({ code: "custom", path: [key], message });
  if (given.preset) {
    if (given.params === undefined) wrong("params", "is missing");
    for (const key of RECIPE_KEYS) if (given[key] !== undefined) wrong(key, "is known by the preset");
  } else {
    if (given.request === undefined) wrong("request", "is missing");
    if (!isCondition(given)) wrong("match", "is missing");
    if (given.params !== undefined) wrong("params", "belongs to a preset");
  }
  if (given.id === undefined && Object.values(given.match ?? {}).includes("$id")) {
    wrong("id", "is missing: without it nothing can stand for $id");
  }
}

/** As the configuration has it, under its name. */
const subscription = z.strictObject(subscriptionShape).superRefine(checkSubscription);

/** As a caller orders it: with its name inside, if it shall have one. */
export const subscriptionOrderSchema = z
  .strictObject({ name: subscriptionName.optional(), ...subscriptionShape })
  .superRefine(checkSubscription);

const webUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    "must be an http:// or https:// URL",
  )
  .refine((text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  }, "must not have credentials inside: use headers");

/** Who gets messages pushed. Only the configuration can say so, never a request. */
const webhookSchema = z.strictObject({
  url: webUrl,
  headers: headers.prefault({}),
  /** Signs each batch (HMAC-SHA256, as Standard Webhooks has it). */
  secret: z.string().min(8, "must have at least 8 characters").optional(),
  /** Whose messages; without it, those that no subscription claims. */
  subscription: subscriptionName.optional(),
  /** Only messages with these values, by JSON pointer. */
  where: scalarsByPointer.prefault({}),
  /** Where the first batch begins. */
  after: z.enum(["earliest", "latest"]).prefault("earliest"),
  /** The most messages in a batch. */
  batch: wholeNumber(1, 1_000).prefault(100),
  /** How long the receiver may take to acknowledge. */
  timeout: duration.prefault("10s"),
});

/** One upstream: where it is, how to log in, and its bounds. */
export const upstreamSchema = z
  .strictObject({
    url,
    /** Whether credentials may go over ws:// to a host that is not loopback. */
    allow_plaintext: z.boolean().prefault(false),
    /** Whether readiness waits for it. */
    required: z.boolean().prefault(true),
    /** Names of equivalents, asked in their order with what this one has certainly not got. */
    failover: z.array(z.string()).refine(unique, "has the same name twice").prefault([]),
    /** Path of a PEM file with the certificates to trust instead of the well-known ones. */
    ca: z.string().min(1, "must be the path of a PEM file").optional(),
    headers: headers.prefault({}),
    /** Path of a module whose function gives the values of `${credentials:NAME}`, for every attempt anew. */
    credentials: z.string().refine(isModulePath, "must be the path of a module (it starts with ./ or /)").optional(),
    /** Those of the protocol, unless given. */
    subprotocols: subprotocols.optional(),
    protocol: protocol.prefault("json-rpc"),
    /** DNS, TCP, TLS and upgrade together. */
    connect_within: duration.prefault("10s"),
    /** Run on every connect, before the upstream counts as ready. That of the protocol, unless given. */
    greeting: z.array(greetingStep).optional(),
    limits: z
      .strictObject({
        in_flight: wholeNumber(1, 1_000_000).prefault(1024),
        request_bytes: size.prefault("1MiB"),
        reply_bytes: size.prefault("16MiB"),
        buffered_bytes: size.prefault("16MiB"),
        subscriptions: wholeNumber(0, 10_000).prefault(100),
        /** At most so many messages in any stretch of that length; so many more may wait their turn. */
        pace: z
          .strictObject({
            messages: wholeNumber(1, 100_000),
            per: duration.prefault("1s"),
            queue: wholeNumber(0, 1_000_000).prefault(100),
          })
          .nullable()
          .prefault(null),
      })
      .refine(({ request_bytes, buffered_bytes }) => request_bytes <= buffered_bytes, {
        path: ["buffered_bytes"],
        error: "must not be smaller than limits.request_bytes: the largest message could never be sent",
      })
      .prefault({}),
    /** How a peer is found that only seems to be there. */
    keepalive: z
      .strictObject({
        ping: duration.prefault("15s"),
        pong_within: duration.prefault("5s"),
        heartbeat: heartbeat.nullable().prefault(null),
        /** The longest that the peer may say nothing of its own: no message, and no ping. */
        silence: duration.nullable().prefault(null),
      })
      .prefault({}),
    reconnect: z
      .strictObject({
        from: duration.prefault("200ms"),
        to: duration.prefault("30s"),
        /** Between attempts after the upstream refused us: a rotated token needs no restart. */
        refused: duration.prefault("60s"),
        /** By close code and by status of the upgrade: what differs from docs/configuration.md, or the preset. */
        codes: classes(/^[1-4]\d{3}$/, "must be a close code from 1000 to 4999"),
        statuses: classes(/^[1-5]\d{2}$/, "must be an HTTP status"),
        /** The next connection is made before this one is left: at that age, or on such a message. */
        rotate: z
          .strictObject({
            every: duration.optional(),
            on: condition.optional(),
            /** How long the old one may take for the replies that it owes. */
            drain: duration.prefault("30s"),
          })
          .refine(({ every, on }) => every !== undefined || on !== undefined, "must have every, or on")
          .nullable()
          .prefault(null),
      })
      .refine(({ from, to }) => from <= to, { path: ["from"], error: "must not be longer than reconnect.to" })
      .prefault({}),
    /** What is kept of what the upstream says unasked, per journal, and how many may read at once. */
    messages: z
      .strictObject({
        count: wholeNumber(1, 10_000_000).prefault(10_000),
        bytes: size.prefault("16MiB"),
        readers: wholeNumber(1, 1_000_000).prefault(10_000),
      })
      .prefault({}),
    /** Asked for on every connect; each has messages of its own. */
    subscriptions: z.record(subscriptionName, subscription).prefault({}),
    webhooks: z.array(webhookSchema).prefault([]),
    /** What we close with. Reserved codes must not be sent (RFC 6455, section 7.4). */
    close_code: wholeNumber(1000, 4999)
      .refine((code) => code <= 1001 || code >= 3000, "must be 1000, 1001, or from 3000 to 4999")
      .prefault(1001),
  })
  .refine((upstream) => upstream.credentials !== undefined || !needsCredentials(upstream), {
    path: ["credentials"],
    error: "is missing: ${credentials:…} is used",
  })
  .refine((upstream) => upstream.allow_plaintext || !isPlaintextSecret(upstream), {
    path: ["url"],
    error: "would send credentials in the clear: use wss://, or set allow_plaintext: true",
  })
  .superRefine(({ webhooks, subscriptions }, context) => {
    webhooks.forEach(({ subscription: name }, index) => {
      if (name === undefined || Object.hasOwn(subscriptions, name)) return;
      const message = "is not among this upstream's subscriptions";
      context.addIssue({ code: "custom", path: ["webhooks", index, "subscription"], message });
    });
  })
  .transform(({ protocol, subprotocols, greeting, reconnect, ...rest }, context) => {
    const brought = preset(protocol);
    if (brought && greeting === undefined && brought.greeting === null) {
      const message = "needs its token ({ preset: …, token: … }), or a greeting beside it that logs in";
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
    .refine(isHost, "must be an address or a host name, without port")
    .transform(bareHost)
    .prefault("127.0.0.1"),
  /** 0 picks a free one. */
  port: wholeNumber(0, 65535).prefault(8787),
  /** Values of `Host` that requests may have, besides the loopback names. */
  hosts: z
    .array(
      z
        .string()
        .regex(/^[\w.:[\]-]+$/, "must be a host name, with or without a port")
        .toLowerCase(),
    )
    .prefault([]),
  /** Web origins that may call from a browser. There is no `*`. */
  origins: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/, "must be an origin such as https://example.org"))
    .prefault([]),
  keep_alive: duration.prefault("75s"),
  /** More than so many at a time are closed as they come. */
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

/** What is kept of how requests ended: late and asynchronous replies, and those with an Idempotency-Key. */
const repliesSchema = z.strictObject({
  keep: duration.prefault("5m"),
  count: wholeNumber(1, 1_000_000).prefault(10_000),
  bytes: size.prefault("16MiB"),
});

const upstreamName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _ or -");

/** The whole file. Without `upstreams` the service runs its demo. */
export const configSchema = z.strictObject({
  listen: listenSchema.prefault({}),
  upstreams: z
    .record(upstreamName, upstreamSchema)
    .refine((all) => Object.keys(all).length > 0, "must have at least one upstream (without the key, the demo runs)")
    .superRefine((all, context) => {
      for (const [name, { failover, protocol }] of Object.entries(all)) {
        failover.forEach((other, index) => {
          const wrong = (message: string) =>
            context.addIssue({ code: "custom", path: [name, "failover", index], message });
          const equivalent = Object.hasOwn(all, other) ? all[other] : undefined;
          if (!equivalent || other === name) wrong("must be the name of another upstream");
          else if (JSON.stringify(equivalent.protocol) !== JSON.stringify(protocol)) wrong("speaks another protocol");
        });
      }
    })
    .optional(),
  replies: repliesSchema.prefault({}),
  shutdown: shutdownSchema.prefault({}),
});

/** Not in the file: how to log is the business of whoever starts the process. */
export const logSchema = z.strictObject({
  level: z.enum(LOG_LEVELS).prefault("info"),
  /** Not given: pretty on a terminal, else json. */
  format: z.enum(["pretty", "json"]).optional(),
});

export type SubscriptionSettings = z.output<typeof subscription>;
export type WebhookSettings = z.output<typeof webhookSchema>;
export type UpstreamSettings = z.output<typeof upstreamSchema>;
/** An upstream as it is written: durations and sizes with units, defaults left out. */
export type UpstreamInput = z.input<typeof upstreamSchema>;
export type ListenSettings = z.output<typeof listenSchema>;
export type ReplySettings = z.output<typeof repliesSchema>;
/** The bound of each step of the exit, in milliseconds. */
export type ShutdownBounds = z.output<typeof shutdownSchema>;
export type LogSettings = z.output<typeof logSchema>;

/** The longest that the exit can take, in milliseconds. */
export function shutdownTotal(bounds: Readonly<Record<string, number>>): number {
  return Object.values(bounds).reduce((total, bound) => total + bound, 0);
}
