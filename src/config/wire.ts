/** Rules of the network for addresses, header fields and credentials. */

import { isIPv4, isIPv6 } from "node:net";
import { localSocketOf } from "../local-socket.ts";
import { outgoingOptions } from "../protocols/outgoing-options.ts";
import { placeholdersIn } from "../secrets/placeholders.ts";
import { isSecretName, outgoingOf, type ProxyAddress } from "../secrets/secrets.ts";

/** A token of RFC 9110, section 5.6.2: header names and subprotocols are made of it. */
export const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** A header value that both runtimes accept: visible Latin-1, spaces and tabs, but no CR or LF to smuggle lines in. */
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Header fields of the handshake: setting them by hand breaks it. */
export const RESERVED_HEADER = /^(?:connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;

/** A bearer token of RFC 6750, section 2.1: what an `Authorization` header can carry. */
export const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

/** The host as listeners take it: an IPv6 address without the brackets of a URL. */
export function bareHost(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

/** True for a host name or an address without scheme and port. */
export function isHost(host: string): boolean {
  return /^[\w.-]+$/.test(host) || isIPv6(bareHost(host));
}

/** True for `localhost`, 127.0.0.0/8 and ::1, with or without brackets; no name that DNS must resolve is loopback. */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host).toLowerCase();
  return bare === "localhost" || bare === "::1" || (isIPv4(bare) && bare.startsWith("127."));
}

/** The settings of an upstream that may hold secrets. */
interface Credentials {
  readonly url: string;
  readonly proxy?: ProxyAddress | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly subprotocols?: readonly string[] | undefined;
  readonly greeting?: readonly object[] | undefined;
  readonly farewell?: readonly object[] | undefined;
  readonly keepalive: object;
  readonly protocol: string | object;
  readonly subscriptions: object;
  readonly add?: object | undefined;
  readonly instances?: { readonly credential?: string | undefined } | null | undefined;
}

/** True if a secret would leave this machine in the clear (threat T19). A text that a greeting sends counts as one. */
export function isPlaintextSecret(upstream: Credentials): boolean {
  const { url, proxy, headers, subprotocols = [], greeting = [], protocol, instances } = upstream;
  if (!URL.canParse(url)) return false;
  const { protocol: scheme, hostname, username, password, searchParams } = new URL(url);
  if (scheme !== "ws:" || staysHere(hostname, proxy)) return false;
  return (
    isDeferred(outgoingOf({ ...upstream, greeting, proxy: undefined, tls: undefined })) ||
    username !== "" ||
    password !== "" ||
    [...searchParams.keys(), ...Object.keys(headers), ...subprotocols].some(isSecretName) ||
    greeting.some((step) => "send" in step) ||
    typeof instances?.credential === "string" ||
    outgoingOptions(protocol).some((option) => option in Object(protocol))
  );
}

/** Another machine's proxy means itself by a name of loopback. */
function staysHere(hostname: string, proxy: ProxyAddress | undefined): boolean {
  return isLoopback(hostname) && (proxy === undefined || isLoopback(proxy.hostname));
}

/** True if a proxy's password would leave this machine in the clear, as it does but for https:// proxies. */
export function isPlaintextLogin({ scheme, hostname, password }: ProxyAddress): boolean {
  return password !== undefined && scheme !== "https" && !isLoopback(hostname);
}

/** True if a webhook would send a secret in the clear: its signing key is none, since it is never sent. */
export function isPlaintextDelivery(webhook: Pick<Credentials, "url" | "headers" | "proxy">): boolean {
  const { url, headers, proxy } = webhook;
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, searchParams } = new URL(url);
  if (protocol !== "http:" || staysHere(hostname, proxy)) return false;
  return isDeferred({ url, headers }) || [...searchParams.keys(), ...Object.keys(headers)].some(isSecretName);
}

/** True if a text of `value` is resolved only by a connection attempt. */
function isDeferred(value: object): boolean {
  const { files, credentials } = placeholdersIn(value);
  return credentials || files.size > 0;
}

/** True if a text needs the user's credentials module. */
export function needsCredentials({ greeting = [], ...upstream }: Credentials): boolean {
  return placeholdersIn(outgoingOf({ ...upstream, greeting })).credentials;
}

/** The URL without its secrets: scheme, host and port. Userinfo, path and query can hold secrets. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return "(not a URL)";
  const local = localSocketOf(url);
  if (local) return `ws+unix:${local.path}`;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
