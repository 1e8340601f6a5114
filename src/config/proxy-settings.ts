/** Schema of the proxy on the way to a host, and the variables by which a machine names its proxy. */

import * as z from "zod";
import { escapeDeferred, tokenize } from "../secrets/placeholders.ts";
import type { ProxyAddress } from "../secrets/secrets.ts";
import { type Environment, readVariable } from "./environment.ts";
import { ConfigError } from "./problems.ts";
import { isHost } from "./wire.ts";

/** The schemes, each with its usual port. */
const PORTS = { http: 80, https: 443, socks5: 1080, socks5h: 1080 } as const;

const FORM = "must be env, or an http://, https://, socks5:// or socks5h:// URL without a path";
const ADDRESS = /^(http|https|socks5|socks5h):\/\/(?:(.*)@)?(\[[\da-f:.]+\]|[^\s/:@?#]+)(?::(\d{1,5}))?\/?$/is;

/** Takes a proxy's URL apart. Placeholders may stand in the user and the password, where a path has its slashes. */
function addressOf(text: string): ProxyAddress | string {
  const [, written = "", login, host = "", port] = ADDRESS.exec(text) ?? [];
  const scheme = written.toLowerCase() as ProxyAddress["scheme"];
  if (!(scheme in PORTS)) return FORM;
  const hostname = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (host.includes("$")) return "must have its host written out, without ${…}";
  if (!isHost(hostname) || Number(port ?? 1) > 65_535 || port === "0") return FORM;
  const address = { scheme, hostname, port: port === undefined ? PORTS[scheme] : Number(port) };
  if (login === undefined) return address;
  const [username = "", password] = halvesOf(login).map(decoded);
  if (username === "") return "must have a user before the password";
  return { ...address, username, ...(password !== undefined && { password }) };
}

/** Splits at the first colon outside of a placeholder. */
function halvesOf(login: string): string[] {
  let before = "";
  for (const { kind, source } of tokenize(login)) {
    const colon = kind === "text" ? source.indexOf(":") : -1;
    if (colon >= 0) return [before + source.slice(0, colon), login.slice(before.length + colon + 1)];
    before += source;
  }
  return [login];
}

/** Resolves the percent-encoding of what is written out. */
function decoded(text: string): string {
  return tokenize(text)
    .map(({ kind, source }) => (kind === "text" ? decodedText(source) : source))
    .join("");
}

function decodedText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const withExceptions = z.strictObject({
  url: z.string().describe("The proxy."),
  except: z
    .array(z.string().regex(/^\S+$/, "must be a host, such as example.org or 10.0.0.0/8"))
    .prefault([])
    .describe("The hosts that are connected to without it, as in NO_PROXY."),
});

export const proxy = z
  .union([z.string(), withExceptions], FORM)
  .transform((given, context) => {
    const { url, except: patterns } = typeof given === "string" ? { url: given, except: [] } : given;
    // The variables are read before; here they have named no proxy.
    if (url === ENV) return undefined;
    const address = addressOf(url);
    if (typeof address !== "string") return { ...address, except: patterns };
    context.addIssue({ code: "custom", message: address, ...(typeof given === "object" && { path: ["url"] }) });
    return z.NEVER;
  })
  .optional();

const ENV = "env";
/** Small letters first, as curl has it. A WebSocket needs a tunnel, as https:// does, so HTTP_PROXY is not meant. */
const VARIABLES = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPT_VARIABLES = ["no_proxy", "NO_PROXY"];
/** This machine is never reached through a proxy that a variable names. */
const THIS_MACHINE = ["localhost", "127.0.0.0/8", "[::1]"];

type Mapping = Readonly<Record<string, unknown>>;

/** Upstreams as they are written, and the variables that have been read. */
interface WithProxies {
  readonly upstreams: unknown;
  readonly variables: readonly string[];
}

/**
 * Puts the proxy that the variables name in place of each `proxy: env` of the upstreams and their webhooks.
 * @param upstreams as they are written, by name
 * @throws ConfigError if a variable is wrong, or may not be read
 */
export function withEnvProxies(upstreams: unknown, env: Environment): WithProxies {
  let variables: readonly string[] = [];
  const resolved = (place: unknown): unknown => {
    if (!isMapping(place) || place["proxy"] !== ENV) return place;
    variables = [...VARIABLES, ...EXCEPT_VARIABLES];
    return { ...place, proxy: proxyOf(env) };
  };
  const upstreamOf = (given: unknown): unknown => {
    const upstream = resolved(given);
    if (!isMapping(upstream) || !Array.isArray(upstream["webhooks"])) return upstream;
    return { ...upstream, webhooks: upstream["webhooks"].map(resolved) };
  };
  if (!isMapping(upstreams)) return { upstreams, variables };
  const all = Object.fromEntries(Object.entries(upstreams).map(([name, upstream]) => [name, upstreamOf(upstream)]));
  return { upstreams: all, variables };
}

/** The proxy that the variables name, in the form of the file; `env` if they name none. */
function proxyOf(env: Environment): unknown {
  const first = (names: readonly string[]) => {
    const name = names.find((each) => (readVariable(env, each) ?? "").trim() !== "");
    return name === undefined ? undefined : { name, value: (readVariable(env, name) ?? "").trim() };
  };
  const named = first(VARIABLES);
  if (!named) return ENV;
  const url = named.value.includes("://") ? named.value : `http://${named.value}`;
  if (typeof addressOf(url) === "string") throw new ConfigError(`${named.name}: ${FORM.replace("env, or ", "")}`);
  const listed = first(EXCEPT_VARIABLES)?.value.split(/[\s,]+/) ?? [];
  return { url: escapeDeferred(url), except: [...THIS_MACHINE, ...listed.filter((pattern) => pattern !== "")] };
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
