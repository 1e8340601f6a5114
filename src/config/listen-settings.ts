/** Schema of the listener. */

import * as z from "zod";
import { duration, durationOrZero, wholeNumber } from "./units.ts";
import { bareHost, isHost, isLoopback } from "./wire.ts";

/** The port that exporters of OpenTelemetry listen on by default. */
const METRICS_PORT = 9464;

/** The path of a socket as it can stand in a URL. */
const SOCKET_PATH = /^[^:?#\s]+$/;

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

const file = z.string().min(1, "must be the path of a file");

const listenTlsSchema = z
  .strictObject({
    cert: file.describe("The path of a PEM file with the certificate, and those between it and its root."),
    key: file.describe("The path of a PEM file with the key of the certificate."),
    passphrase: z.string().min(1).optional().describe("Opens the key; `${file:…}` is the text of a file."),
    ca: file
      .optional()
      .describe("The path of a PEM file with certificates: only callers with a certificate that one of them signed."),
    min_version: z
      .enum(["1.2", "1.3"], 'must be "1.2" or "1.3"')
      .prefault("1.2")
      .describe("The oldest version of TLS that is agreed to."),
  })
  .describe("Serves HTTPS. The files are read again by a reload.");

const listenFields = z.strictObject({
  host: z
    .string()
    .refine(isHost, "must be an address or a host name, without a port")
    .transform(bareHost)
    .prefault("127.0.0.1")
    .describe("The address to listen on, without a port. Beyond loopback a token is needed."),
  port: wholeNumber(0, 65535).prefault(8787).describe("The port to listen on; 0 picks a free one."),
  path: z
    .string()
    .regex(SOCKET_PATH, "must be the path of a file, without spaces, colons, ? and #")
    .optional()
    .describe("The path of a Unix socket to listen on, instead of host and port."),
  mode: z
    .string('must be a mode in quotes, such as "660"')
    .regex(/^0?[0-7]{3}$/, 'must be an octal mode such as "660"')
    .optional()
    .describe('The mode of the socket\'s file: only who may write to it may connect. By default "600".'),
  tls: listenTlsSchema.optional(),
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

export const listenSchema = listenFields.superRefine(({ path, mode }, context) => {
  if (mode !== undefined && path === undefined)
    context.addIssue({ code: "custom", path: ["mode"], message: "needs path beside it, whose file it is for" });
});

export type ListenSettings = z.output<typeof listenSchema>;

/** True if only programs of this machine can connect. */
export function isLocal({ host, path }: Pick<ListenSettings, "host" | "path">): boolean {
  return path !== undefined || isLoopback(host);
}

/**
 * The address of a service: the base URL, or `unix:` and the path of its socket.
 * @param port the port that it listens on, if it was chosen at its start
 */
export function serviceAddress(
  {
    host,
    path,
    tls,
    ...configured
  }: Pick<ListenSettings, "host" | "port"> & Partial<Pick<ListenSettings, "path" | "tls">>,
  port = configured.port,
): string {
  if (path !== undefined) return `unix:${path}`;
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
