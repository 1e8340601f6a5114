/**
 * The schema of the configuration file, the only place that has defaults.
 *
 * Settings keep the names of the file throughout the program. Parsed durations are milliseconds, parsed sizes bytes.
 */

import * as z from "zod";
import { placeholdersIn } from "../placeholders.ts";
import { type Condition, pointersOf } from "../protocols/condition.ts";
import type { GreetingStep } from "../protocols/preset.ts";
import { preset, presetNames } from "../protocols/presets.ts";
import { needsIdToSend } from "../protocols/subscription-request.ts";
import { faultOfKey, KEY_MIN } from "../signing-key.ts";
import { misplacedPlaceholders } from "./placeholder-places.ts";
import {
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
  preset: z
    .literal("eth_subscribe")
    .optional()
    .describe("Subscriptions of Ethereum, which differ only in their parameters."),
  params: z
    .array(z.json())
    .min(1, "must not be empty")
    .refine(isExact, "has a number beyond 2^53, which would be rounded: use request, as a text")
    .optional()
    .describe("The parameters of a preset, such as [newHeads]. Only with a preset, which needs them."),
  request: message("must be the message that subscribes")
    .optional()
    .describe("The message that subscribes: a text, sent as it is, or a value, sent as JSON. Not with a preset."),
  id: memberPointer
    .optional()
    .describe("The place of the upstream's own id for the subscription in the frame with which it agrees."),
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
const subscription = z.strictObject(subscriptionShape).superRefine(checkSubscription).meta({
  id: "Subscription",
  description: "A standing request for messages, and the condition for them; or a preset that has both.",
});

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
  url: webUrl.describe("The receiver: an http:// or https:// URL without credentials, its host written out."),
  headers: headers.prefault({}).describe("Headers of each delivery, by name."),
  allow_plaintext: z
    .boolean()
    .prefault(false)
    .describe("Allows credentials over http:// to a host that is not loopback."),
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
  give_up_after: duration
    .nullable()
    .prefault("15s")
    .describe("How long a message that the receiver refuses (400, 413, 415, 422) is repeated; null for ever."),
});

/** One upstream: its address, its login and its limits. */
export const upstreamSchema = z
  .strictObject({
    url: url.describe("The address: a ws:// or wss:// URL without a fragment, its host written out."),
    allow_plaintext: z
      .boolean()
      .prefault(false)
      .describe("Allows credentials over ws:// to a host that is not loopback."),
    required: z.boolean().prefault(true).describe("Makes readiness depend on this upstream."),
    failover: z
      .array(z.string())
      .refine(unique, "has the same name twice: leave one out")
      .prefault([])
      .describe("Equivalent upstreams, tried in order with requests that were certainly not sent to this one."),
    ca: z
      .string()
      .min(1, "must be the path of a PEM file")
      .optional()
      .describe("The path of a PEM file with the certificates to trust instead of the default ones."),
    headers: headers.prefault({}).describe("Headers of the handshake, by name."),
    credentials: z
      .string()
      .refine(isModulePath, "must be the path of a module (it starts with ./ or /)")
      .optional()
      .describe(
        "The path of a module whose function returns the values of ${credentials:NAME} for each connection attempt.",
      ),
    subprotocols: subprotocols.optional().describe("Offered in the handshake. By default those of the protocol."),
    protocol: protocol
      .prefault("json-rpc")
      .describe(`A preset (${presetNames.join(", ")}), a preset with its options, or the path of a module.`),
    connect_within: duration
      .prefault("10s")
      .describe("The time for DNS, TCP, TLS and upgrade together; past it, the attempt has failed."),
    addresses: z
      .strictObject({
        ipv6_wait: durationOrZero
          .prefault("50ms")
          .describe("The time to wait for the addresses of IPv6 once those of IPv4 are known."),
        next_after: duration.prefault("250ms").describe("The time after which the next address is tried as well."),
      })
      .prefault({})
      .describe("The delays of a host with several addresses (RFC 8305), shorter with a short connect_within."),
    greeting: z
      .array(greetingStep)
      .optional()
      .describe("Steps to run on every connection before it counts as ready. By default those of the protocol."),
    limits: z
      .strictObject({
        in_flight: wholeNumber(1, 1_000_000)
          .prefault(1024)
          .describe("The most requests at a time; more fail with too_many_in_flight."),
        batch_items: wholeNumber(1, 100_000)
          .prefault(1024)
          .describe("The most messages in one batch; a larger batch fails with invalid_request."),
        request_bytes: size
          .prefault("1MiB")
          .describe("The largest message of a caller; a larger one fails with payload_too_large."),
        reply_bytes: size
          .prefault("16MiB")
          .describe("The largest message of the upstream; a larger one ends the connection with connection_lost."),
        reply_pause: duration
          .prefault("60s")
          .describe(
            "The longest pause between two frames of one reply; after a longer one it fails with reply_timeout.",
          ),
        buffered_bytes: size
          .prefault("16MiB")
          .describe("The most bytes that wait for the upstream; more fail with congested. At least request_bytes."),
        subscriptions: wholeNumber(0, 10_000)
          .prefault(100)
          .describe("The most subscriptions at a time; more fail with too_many_in_flight."),
        pace: z
          .strictObject({
            messages: wholeNumber(1, 100_000).describe("The most messages in any span of per plus jitter."),
            per: duration.prefault("1s").describe("The span in which messages are counted."),
            queue: wholeNumber(0, 1_000_000)
              .prefault(100)
              .describe("The most messages that wait for their turn; more fail with paced."),
            jitter: durationOrZero
              .prefault("100ms")
              .describe("The most by which one message may be delayed on its way more than another."),
            counts: z
              .enum(["messages", "all"], "must be messages or all")
              .prefault("messages")
              .describe("The frames that count: those of callers and subscriptions, or all that go out."),
          })
          .nullable()
          .prefault(null)
          .describe("The rate limit of the upstream; null for none."),
      })
      .refine(({ request_bytes, buffered_bytes }) => request_bytes <= buffered_bytes, {
        path: ["buffered_bytes"],
        error: "must not be smaller than limits.request_bytes: the largest message could never be sent",
      })
      .prefault({})
      .describe("Bounds of what callers may ask of this upstream, and of what it may send."),
    keepalive: z
      .strictObject({
        ping: durationOrOff.prefault("15s").describe("The time between pings; off sends none."),
        pong_within: duration
          .prefault("5s")
          .describe("The time within which a pong must come; without one the connection is given up."),
        heartbeat: heartbeat
          .nullable()
          .prefault(null)
          .describe("A message of the upstream's own protocol that asks for a sign of life; null for none."),
        silence: duration
          .nullable()
          .prefault(null)
          .describe("The longest time without a message or ping from the peer; null for any."),
      })
      .prefault({})
      .describe("Checks that detect a dead peer."),
    reconnect: z
      .strictObject({
        from: duration.prefault("200ms").describe("The ceiling of the random delay before the first attempt."),
        to: duration.prefault("30s").describe("The ceiling of the delays, which double. At least from."),
        refused: duration
          .prefault("60s")
          .describe("The time between attempts after a refusal: a rotated token needs no restart."),
        codes: classes(/^[1-4]\d{3}$/, "must be a close code from 1000 to 4999").describe(
          "The class of a close code, where it is not that of docs/configuration.md or of the preset.",
        ),
        statuses: classes(/^[1-5]\d{2}$/, "must be an HTTP status").describe(
          "The class of a status in response to the upgrade, where it is not that of docs/configuration.md.",
        ),
        rotate: z
          .strictObject({
            every: duration.optional().describe("The age at which a connection is replaced, up to a quarter sooner."),
            on: condition.optional().describe("The messages after which it is replaced."),
            drain: duration
              .prefault("30s")
              .describe("The time for the old connection to deliver its outstanding replies."),
          })
          .refine(({ every, on }) => every !== undefined || on !== undefined, "must have every or on")
          .nullable()
          .prefault(null)
          .describe("Replaces the connection at an age, or on a matching message: the next one is opened first."),
        to_address: z
          .strictObject({
            on: condition.describe("The messages that name an address."),
            at: memberPointer.describe("The place of the address in them."),
            hosts: z
              .array(
                z
                  .string()
                  .toLowerCase()
                  .regex(NAMED_HOST, "must be a host such as example.org, example.org:8443 or *.example.org"),
              )
              .min(1, "must have at least one host")
              .describe("The hosts that may be named; *.example.org stands for any below it."),
          })
          .nullable()
          .prefault(null)
          .describe("Connects next to the address that a message names, if its host is listed; later to url again."),
      })
      .refine(({ from, to }) => from <= to, { path: ["from"], error: "must not be longer than reconnect.to" })
      .prefault({})
      .describe("When the next connection is attempted, and where."),
    messages: z
      .strictObject({
        count: wholeNumber(1, 10_000_000)
          .prefault(10_000)
          .describe("The most messages that are kept; older ones make way, and readers get a gap."),
        bytes: size.prefault("16MiB").describe("The most bytes that are kept."),
        readers: wholeNumber(1, 1_000_000)
          .prefault(10_000)
          .describe("The most concurrent streams and long polls; more fail with too_many_in_flight."),
      })
      .prefault({})
      .describe("Bounds of each journal of unsolicited messages, and of its readers."),
    subscriptions: z
      .record(subscriptionName, subscription)
      .prefault({})
      .describe("Subscriptions by name, renewed on every connection; each has its own journal."),
    webhooks: z.array(webhookSchema).prefault([]).describe("Receivers that messages are pushed to."),
    close_code: wholeNumber(1000, 4999)
      .refine((code) => code <= 1001 || code >= 3000, "must be 1000, 1001, or from 3000 to 4999")
      .prefault(1001)
      .describe("The close code that is sent: 1000, 1001, or from 3000 to 4999 (RFC 6455, section 7.4)."),
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

/** The port that exporters of OpenTelemetry listen on by default. */
const METRICS_PORT = 9464;

const metricsListenSchema = z.strictObject({
  host: z
    .string()
    .refine(isHost, "must be an address or a host name, without a port")
    .transform(bareHost)
    .prefault("127.0.0.1")
    .describe("The address to listen on, without a port."),
  port: wholeNumber(0, 65535).prefault(METRICS_PORT).describe("The port to listen on; 0 picks a free one."),
  open: z
    .boolean()
    .prefault(false)
    .describe("Serves /metrics without a token beyond loopback, too; on loopback it never needs one."),
});

const listenSchema = z.strictObject({
  host: z
    .string()
    .refine(isHost, "must be an address or a host name, without a port")
    .transform(bareHost)
    .prefault("127.0.0.1")
    .describe("The address to listen on, without a port. Beyond loopback a token is needed."),
  port: wholeNumber(0, 65535).prefault(8787).describe("The port to listen on; 0 picks a free one."),
  hosts: z
    .array(
      z
        .string()
        .regex(/^[\w.:[\]-]+$/, "must be a host name, with or without a port")
        .toLowerCase(),
    )
    .prefault([])
    .describe("Allowed values of Host, besides the loopback names; others get misdirected."),
  origins: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/, "must be an origin such as https://example.org"))
    .prefault([])
    .describe("Web origins that may call from a browser; others get forbidden. `*` is not supported."),
  cors: z
    .strictObject({
      allow_headers: z
        .array(z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/, "must be the name of a header"))
        .prefault([])
        .describe("Headers that these pages may send, besides those of the API and of traces."),
      max_age: durationOrZero
        .prefault("10m")
        .describe("The time for which a browser may remember what pages of an origin may do."),
    })
    .prefault({})
    .describe("Rules for browsers about pages of listen.origins. Credentials are never allowed."),
  page: z
    .boolean()
    .prefault(true)
    .describe("Serves the pages for people: the state at /, and the browser of the API at /docs."),
  keep_alive: duration
    .prefault("75s")
    .describe("The time for which an idle connection stays open: above that of a load balancer in front."),
  connections: wholeNumber(1, 1_000_000)
    .prefault(20_000)
    .describe("The most open connections: more are closed on arrival."),
  metrics: metricsListenSchema
    .optional()
    .describe("A listener of its own for /metrics and the probes, which serves nothing else."),
});

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
});

const upstreamName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _ or -");

/** The configuration file. Without `upstreams` the service runs its demo. */
export const configSchema = z.strictObject({
  $schema: z.string().optional().describe("The place of this schema, for editors. It is not read."),
  listen: listenSchema.prefault({}).describe("The listener of the HTTP API."),
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
    .optional()
    .describe("Upstreams by name. Without this key, the demo runs."),
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
