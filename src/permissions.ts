import type { LoadedConfig } from "./config/load.ts";
import { redactUrl } from "./config/wire.ts";
import { placeholdersIn } from "./placeholders.ts";
import type { Needs } from "./runtime/runtime.ts";

/** What Deno must be told to allow, and how. Node is not asked. */

/** What these need to reach and to read, the files included that were read already; without `listen` nothing listens. */
export function needsOf({ upstreams, sources, listen }: Needing): Needs {
  const net: string[] = [];
  if (listen) net.push(listen.port === 0 ? bracketed(listen.host) : `${bracketed(listen.host)}:${listen.port}`);
  const read = [...sources.files];
  // The demo listens on loopback, on a port that nobody knows yet.
  if (upstreams.size === 0) net.push("127.0.0.1");
  for (const { url, headers, greeting, webhooks } of upstreams.values()) {
    for (const webhook of webhooks) net.push(hostOf(webhook.url));
    net.push(hostOf(url));
    read.push(...placeholdersIn([url, headers, greeting]).files);
  }
  return { net: [...new Set(net)], read: [...new Set(read)] };
}

type Needing = Pick<LoadedConfig, "upstreams" | "sources"> & { readonly listen?: LoadedConfig["listen"] };

/** The variables that are read: ours, and those of `ws`, `yaml` and the log. */
const VARIABLES = ["SIDESOCKET_*", "PORT", "NO_COLOR", "WS_NO_BUFFER_UTIL", "LOG_STREAM", "LOG_TOKENS"];

/**
 * The command that works, with the arguments that were given; without those that may hold a secret, as a `message` may.
 * @param variables those that the configuration names besides ours
 */
export function commandFor(
  { net, read }: Needs,
  variables: readonly string[],
  argv: readonly string[],
  message?: string,
): string {
  const flags = [
    `--allow-net=${net.join(",")}`,
    `--allow-env=${[...VARIABLES, ...variables].join(",")}`,
    `--allow-read=${["src", ...read].join(",")}`,
  ];
  return [
    "deno run",
    ...flags.map(quoted),
    "src/main.ts",
    ...argv.map((argument, index) => (argument === message && argument !== "-" ? "…" : shown(argument, index, argv))),
  ].join(" ");
}

function shown(argument: string, index: number, argv: readonly string[]): string {
  if (argv[index - 1] === "--upstream-header" || /^--upstream-header=/.test(argument)) return "…";
  const url = argument.replace(/^--upstream=/, "");
  if (/^wss?:/.test(url) && URL.canParse(url) && `${redactUrl(url)}` !== url.replace(/\/$/, "")) return "…";
  return quoted(argument);
}

/** As a shell takes it: some look for files where there is a `*`. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

function hostOf(url: string): string {
  const { hostname, port, protocol: scheme } = new URL(url);
  return `${hostname}:${port || (scheme === "wss:" || scheme === "https:" ? 443 : 80)}`;
}

/** As Deno wants an address of IPv6, with a port or without. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
