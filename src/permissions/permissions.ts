/** The permissions that Deno needs, and the command that grants them. */

import { dirname } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { redactUrl } from "../config/wire.ts";
import { type Host, hostOf } from "../net/connect.ts";
import { proxyFor, type TunnelProxy } from "../net/reach.ts";
import { birthplaceOf } from "../net/socket-file.ts";
import type { Needs } from "../runtime/runtime.ts";
import { placeholdersIn } from "../secrets/placeholders.ts";
import { outgoingOf } from "../secrets/secrets.ts";

/** Lists the addresses and files of a configuration, files that were already read included. */
export function needsOf({ upstreams, sources, listen, cluster }: Needing): Needs {
  const net: string[] = [];
  const read = [...sources.files];
  const write: string[] = [];
  const local = (path: string): void => {
    net.push(`unix:${path}`);
    read.push(path);
    write.push(path);
  };
  if (listen?.path !== undefined) {
    const { folder, socket } = birthplaceOf(listen.path);
    local(listen.path);
    net.push(`unix:${socket}`);
    read.push(folder);
    write.push(folder);
  } else if (listen) net.push(addressOf(listen));
  if (listen?.metrics) net.push(addressOf(listen.metrics));
  net.push(...(cluster?.servers ?? []).map(natsAddress));
  // The demo listens on loopback, on a port that is not yet known.
  if (upstreams.size === 0) net.push("127.0.0.1");
  for (const upstream of upstreams.values()) {
    for (const webhook of upstream.webhooks) net.push(...wayTo(hostOf(webhook.url), webhook.proxy));
    const host = hostOf(upstream.url);
    if (host.socketPath !== undefined) local(host.socketPath);
    else net.push(...wayTo(host, upstream.proxy));
    for (const named of [...(upstream.reconnect.to_address?.hosts ?? []), ...upstream.redirects]) {
      const [, hostname = named, port = host.isSecure ? 443 : 80] = /^(.+):(\d+)$/.exec(named) ?? [];
      net.push(...wayTo({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) }, upstream.proxy));
    }
    read.push(...placeholdersIn([outgoingOf(upstream), upstream.webhooks]).files);
  }
  return { net: [...new Set(net)], read: [...new Set(read)], write: [...new Set(write)] };
}

/** The part of a configuration that needs permissions. Without `listen` nothing listens. */
type Needing = Pick<LoadedConfig, "upstreams" | "sources"> & Partial<Pick<LoadedConfig, "listen" | "cluster">>;

/** The port of a NATS server whose URL names none. */
const NATS_PORT = 4222;

export function natsAddress(server: string): string {
  const { hostname, port } = new URL(server);
  return `${hostname}:${port || NATS_PORT}`;
}

/** Without it V8 takes what requests leave behind for something that lives long. */
const V8_FLAGS = "--v8-flags=--no-allocation-site-pretenuring";

/** The variables that are read: our own, and those of `ws`, `yaml` and the log. */
const VARIABLES = ["SIDESOCKET_*", "PORT", "NO_COLOR", "WS_NO_BUFFER_UTIL", "LOG_STREAM", "LOG_TOKENS"];

/**
 * Builds the command that works, with the given arguments. Those that may hold a secret are left out.
 * @param program the path of the running program, in the folder of all its files
 * @param variables the variables that the configuration names besides our own
 * @param words the arguments that are the message of `call`, or its parameters, which may hold a secret
 */
export function commandFor(
  program: string,
  { net, read, write }: Needs,
  variables: readonly string[],
  argv: readonly string[],
  words: readonly string[] = [],
): string {
  const [file = program] = /\bsrc\/main\.ts$/.exec(program) ?? [];
  const flags = [
    `--allow-net=${net.join(",")}`,
    `--allow-env=${[...VARIABLES, ...variables].join(",")}`,
    `--allow-read=${[dirname(file), ...read].join(",")}`,
    ...(write.length === 0 ? [] : [`--allow-write=${write.join(",")}`]),
  ];
  return [
    "deno run",
    V8_FLAGS,
    ...flags.map(quoted),
    quoted(file),
    ...argv.map((argument, index) =>
      words.includes(argument) && argument !== "-" ? "…" : shown(argument, index, argv),
    ),
  ].join(" ");
}

function shown(argument: string, index: number, argv: readonly string[]): string {
  if (argv[index - 1] === "--upstream-header" || /^--upstream-header=/.test(argument)) return "…";
  const url = argument.replace(/^--(?:upstream|cluster)=/, "");
  if (/^(?:wss?|ws\+unix|nats|tls):/.test(url) && URL.canParse(url) && `${redactUrl(url)}` !== url.replace(/\/$/, ""))
    return "…";
  return quoted(argument);
}

/** Quotes an argument for a shell: some expand a `*`. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** A port that is not yet known needs all of them. */
function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return port === 0 ? bracketed(host) : `${bracketed(host)}:${port}`;
}

/** The hosts to connect to or to resolve on the way to one. Only some below a `*.` may be exceptions of a proxy. */
function wayTo(host: Host, configured: TunnelProxy | undefined): readonly string[] {
  const proxy = proxyFor(host, configured);
  if (proxy === undefined) return [addressOf({ host: host.hostname, port: host.port })];
  const isNeeded = proxy.scheme === "socks5" || host.hostname.startsWith("*.");
  return [proxy, ...(isNeeded ? [host] : [])].map(({ hostname, port }) => addressOf({ host: hostname, port }));
}

/** Puts an IPv6 address into brackets: Deno wants them with a port and without. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
