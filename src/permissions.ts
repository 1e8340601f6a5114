import { fileURLToPath } from "node:url";
import type { LoadedConfig } from "./config/load.ts";
import { redactUrl } from "./config/wire.ts";
import type { Needs } from "./runtime/runtime.ts";

/** What Deno must be told to allow, and how. Node is not asked. */

/** What these need to reach and to read; without `listen` nothing listens. */
export function needsOf(upstreams: LoadedConfig["upstreams"], listen?: LoadedConfig["listen"]): Needs {
  const net: string[] = [];
  if (listen) net.push(listen.port === 0 ? listen.host : hostAndPort(listen.host, listen.port));
  const read: string[] = [];
  // The demo listens on loopback, on a port that nobody knows yet.
  if (upstreams.size === 0) net.push("127.0.0.1");
  for (const { url, ca, protocol, webhooks } of upstreams.values()) {
    for (const webhook of webhooks) net.push(hostOf(webhook.url));
    net.push(hostOf(url));
    if (ca !== undefined) read.push(ca);
    const module = typeof protocol === "string" && protocol.startsWith("file:") ? fileURLToPath(protocol) : undefined;
    if (module !== undefined) read.push(module);
  }
  return { net: [...new Set(net)], read };
}

/** The variables that are read: ours, and those of `ws`, `yaml` and the log. */
const VARIABLES = "SIDESOCKET_*,PORT,NO_COLOR,WS_NO_BUFFER_UTIL,LOG_STREAM,LOG_TOKENS";

/** The command that works, with the arguments that were given; without those that may hold a secret, as a `message` may. */
export function commandFor({ net, read }: Needs, argv: readonly string[], message?: string): string {
  const flags = [
    `--allow-net=${net.join(",")}`,
    `--allow-env=${VARIABLES}`,
    `--allow-read=${["src", ...read].join(",")}`,
  ];
  return [
    "deno run",
    ...flags,
    "src/main.ts",
    ...argv.map((argument, index) => (argument === message && argument !== "-" ? "…" : shown(argument, index, argv))),
  ].join(" ");
}

function shown(argument: string, index: number, argv: readonly string[]): string {
  if (argv[index - 1] === "--upstream-header" || /^--upstream-header=/.test(argument)) return "…";
  const url = argument.replace(/^--upstream=/, "");
  if (/^wss?:/.test(url) && URL.canParse(url) && `${redactUrl(url)}` !== url.replace(/\/$/, "")) return "…";
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

function hostOf(url: string): string {
  const { hostname, port, protocol: scheme } = new URL(url);
  return `${hostname}:${port || (scheme === "wss:" || scheme === "https:" ? 443 : 80)}`;
}

function hostAndPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
