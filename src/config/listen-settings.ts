/** Schema of the listener. */

import * as z from "zod";
import { duration, durationOrZero, wholeNumber } from "./units.ts";
import { bareHost, isHost } from "./wire.ts";

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

export const listenSchema = z.strictObject({
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
