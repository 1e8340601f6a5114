/** Schema of an upstream. */

import * as z from "zod";
import { isLocal, localSocketOf } from "../local-socket.ts";
import type { CaptureRule } from "../protocols/capture-plan.ts";
import type { GreetingStep } from "../protocols/preset.ts";
import { preset, presetNames } from "../protocols/presets.ts";
import { additions, capture } from "./capture-settings.ts";
import { handoverSetting, ownerSetting, whenAloneSetting } from "./cluster-settings.ts";
import { condition, faultOfPlace, memberPlace } from "./condition-settings.ts";
import { headers, namedHost, subscriptionName, unique } from "./fields.ts";
import { instancesSchema, isTemplate, paramsSchema, templateFaults } from "./instance-settings.ts";
import { misplacedPlaceholders, misusedValues } from "./placeholder-places.ts";
import { farewellStep, greetingStep, heartbeat, isModulePath, protocol } from "./protocol-settings.ts";
import { proxy } from "./proxy-settings.ts";
import { subscription } from "./subscription-settings.ts";
import { tls } from "./tls-settings.ts";
import { duration, durationOrOff, durationOrZero, size, wholeNumber } from "./units.ts";
import { webhookSchema } from "./webhook-settings.ts";
import { HEADER_NAME, isPlaintextDelivery, isPlaintextSecret, needsCredentials } from "./wire.ts";

/** The class of a disconnect: retry soon, retry after some seconds, or retry only every `reconnect.refused`. */
const classes = (form: RegExp, error: string) =>
  z
    .record(z.string().regex(form, error), z.enum(["retry", "slow", "refuse"], "must be retry, slow or refuse"))
    .prefault({});

const subprotocols = z
  .array(z.string().regex(HEADER_NAME, "must be a token without spaces or commas"))
  .refine(unique, "has the same name twice: leave one out");

/** The close code of an endpoint that goes away (RFC 6455). */
const GOING_AWAY = 1001;

const url = z.string().superRefine((text, context) => {
  const wrong = (message: string) => context.addIssue({ code: "custom", message });
  if (!URL.canParse(text)) return wrong("must be a URL such as wss://example.org/socket");
  const { protocol: scheme } = new URL(text);
  if (isLocal(text)) {
    const local = localSocketOf(text);
    if (!local)
      return wrong("must name a socket by its whole path: ws+unix:/run/app.sock, or ws+unix:/run/app.sock:/path");
    return local.path.includes("$") ? wrong("must have the path of its socket written out, without ${…}") : undefined;
  }
  if (scheme !== "ws:" && scheme !== "wss:") return wrong("must start with ws://, wss:// or ws+unix:/");
  if (text.includes("#")) return wrong("must not have a fragment: leave out # and what follows");
  if (new URL(text).host.includes("$")) return wrong("must have its host written out, without ${…}");
});

/** One upstream: its address, its login and its limits. */
export const upstreamSchema = z
  .strictObject({
    url: url.describe(
      "The address: a ws:// or wss:// URL without a fragment, its host written out; or ws+unix: and a socket's path.",
    ),
    allow_plaintext: z
      .boolean()
      .prefault(false)
      .describe("Allows credentials over ws:// to a host that is not loopback."),
    proxy: proxy.describe(
      "The proxy to the upstream: an http://, https://, socks5:// or socks5h:// URL, env, or one with exceptions.",
    ),
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
    tls: tls.describe("TLS with the upstream. Its files are read again for each attempt."),
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
    compression: z
      .boolean()
      .prefault(false)
      .describe("Offers permessage-deflate (RFC 7692). A compressed message may have reply_bytes once it is inflated."),
    redirects: z
      .array(namedHost)
      .prefault([])
      .describe("The hosts to which redirects of the upgrade are followed, with all headers; by default none."),
    cookies: z
      .boolean()
      .prefault(false)
      .describe("Sends the cookies that responses to the upgrade have set with the next one to the same host."),
    greeting: z
      .array(greetingStep)
      .optional()
      .describe("Steps to run on every connection before it counts as ready. By default those of the protocol."),
    farewell: z
      .array(farewellStep)
      .optional()
      .describe("Steps to run before a connection is closed in order. By default those of the protocol."),
    capture: capture.optional().describe("Values to take out of frames. By default those of the protocol."),
    add: additions.optional(),
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
          .optional()
          .describe("A message that asks the upstream for a sign of life; null for none. By default the protocol's."),
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
          .optional()
          .describe(
            "Replaces the connection at an age, or on a matching message: the next one is opened first. " +
              "By default as the protocol wants.",
          ),
        to_address: z
          .strictObject({
            when: condition.describe("The messages that name an address."),
            at: memberPlace.describe("The place of the address in them: a JSON pointer, or a group ($GROUP)."),
            hosts: z
              .array(namedHost)
              .min(1, "must have at least one host")
              .describe("The hosts that may be named; *.example.org stands for any below it."),
          })
          .superRefine(({ when, at }, context) => {
            const message = faultOfPlace(at, when.text);
            if (message !== undefined) context.addIssue({ code: "custom", path: ["at"], message });
          })
          .nullable()
          .optional()
          .describe(
            "Connects next to the address that a message names, if its host is listed; later to url again. " +
              "By default as the protocol wants.",
          ),
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
    owner: ownerSetting,
    handover: handoverSetting,
    when_alone: whenAloneSetting,
    params: paramsSchema,
    instances: instancesSchema,
    close_code: wholeNumber(1000, 4999)
      .refine((code) => code <= 1001 || code >= 3000, "must be 1000, 1001, or from 3000 to 4999")
      .optional()
      .describe(
        "The close code that is sent: 1000, 1001, or from 3000 to 4999 (RFC 6455, section 7.4). " +
          "By default that of the protocol, or 1001.",
      ),
  })
  .refine((upstream) => upstream.credentials !== undefined || !needsCredentials(upstream), {
    path: ["credentials"],
    error: "is missing: ${credentials:…} needs a module that returns its value",
  })
  .refine(({ ca, tls }) => ca === undefined || tls.ca === undefined, {
    path: ["ca"],
    error: "is the same as tls.ca: leave one out",
  })
  .refine((upstream) => upstream.allow_plaintext || !isPlaintextSecret(upstream), {
    path: ["url"],
    error: "would send credentials in the clear: use wss://, or set allow_plaintext: true",
  })
  .superRefine((upstream, context) => {
    for (const { path, what } of [...misplacedPlaceholders(upstream), ...templateFaults(upstream)])
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
  .transform(
    (
      { protocol, subprotocols, greeting, farewell, capture, keepalive, reconnect, add, close_code, ...rest },
      context,
    ) => {
      const brought = preset(protocol);
      if (brought && greeting === undefined && brought.greeting === null) {
        const message = "needs its token ({ preset: …, token: … }) or a greeting that logs in";
        context.addIssue({ code: "custom", path: ["protocol"], message });
      }
      const steps: readonly GreetingStep[] = greeting ?? brought?.greeting ?? [];
      const codes: typeof reconnect.codes = { ...brought?.codes, ...reconnect.codes };
      const rules: readonly CaptureRule[] = capture ?? brought?.capture ?? [];
      const { heartbeat = brought?.heartbeat ?? null } = keepalive;
      const { rotate, to_address = brought?.toAddress ?? null } = reconnect;
      const additions: NonNullable<typeof add> = add ?? { ...brought?.add };
      const filled = {
        ...rest,
        add: additions,
        protocol,
        greeting: steps,
        farewell: farewell ?? [...(brought?.farewell ?? [])],
        capture: rules,
        keepalive: { ...keepalive, heartbeat },
      };
      for (const { path, what } of misusedValues(filled))
        context.addIssue({ code: "custom", path: [...path], message: what });
      return {
        ...filled,
        template: isTemplate(rest),
        // Nothing waits for a connection that there never is.
        required: rest.required && !isTemplate(rest),
        subprotocols: subprotocols ?? [...(brought?.subprotocols ?? [])],
        reconnect: {
          ...reconnect,
          codes,
          rotate: rotate === undefined ? (brought?.rotate ?? null) : rotate && { ...brought?.rotate, ...rotate },
          to_address,
        },
        close_code: close_code ?? brought?.closeCode ?? GOING_AWAY,
      };
    },
  );
