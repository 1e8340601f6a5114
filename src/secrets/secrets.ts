/** The secrets of an upstream's settings, and texts for people from which they are masked. */

import { unquoted } from "./placeholders.ts";

/** Names of headers, parameters and subprotocols that carry secrets, such as authorization, cookie or access_token. */
const SECRET_NAME =
  /auth(?!or(?!i))|cookie|token|secret|pass(?:w|phrase|code)|api[-_]?key|credent|bearer|signature|^(?:pass|pwd|jwt)$/i;

/** Members of a login that say what the message is, and are no secrets. */
const NAMING =
  /^(?:jsonrpc|version|protocol|type|kind|op|opcode|method|event|action|command|cmd|name|topic|channel|id)$/i;

/** The look of a generated key: long, without spaces, and with a digit. */
const KEY_LIKE = /^(?=.*\d)[\w+/=.~-]{16,}$/;

/** A shorter text cannot be told from an ordinary word or number, and hides nothing. */
export const SECRET_MIN = 4;

/** Stands where a secret was. */
export const REDACTED = "(redacted)";

/** The most characters of a peer's frame that a text for people has. */
const EXCERPT_MAX = 200;
/** The most characters that are searched for secrets. */
export const SEARCHED_MAX = 16_384;

/** True if `name` is that of a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** True if a text has the look of a key. */
export function isKeyLike(text: string): boolean {
  return KEY_LIKE.test(text);
}

/** True if a member of a login by this name says what the message is, and is no secret. */
export function isNaming(name: string): boolean {
  return NAMING.test(name);
}

/** A proxy, with the user and the password that it wants. */
export interface ProxyAddress {
  readonly scheme: "http" | "https" | "socks5" | "socks5h";
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** The settings whose texts go out to the upstream or to the proxy before it, or open what does. */
export interface Outgoing {
  readonly url: string;
  readonly proxy?: ProxyAddress | undefined;
  readonly tls?: { readonly passphrase?: string | undefined } | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly greeting: readonly object[];
  readonly farewell?: readonly object[] | undefined;
  readonly keepalive: object;
  readonly protocol: string | object;
  readonly subscriptions: object;
  readonly add?: object | undefined;
}

/** Picks the settings whose texts go out. */
export function outgoingOf(settings: Outgoing): Outgoing {
  const { url, proxy, tls, headers, greeting, farewell, keepalive, protocol, subscriptions, add } = settings;
  return { url, proxy, tls, headers, greeting, farewell, keepalive, protocol, subscriptions, add };
}

/**
 * Returns the texts that must not be shown, longest first. Everything that a greeting sends is one, except what names
 * the message; elsewhere, what has a secret's name or the look of a key.
 * @param resolved the texts that took the place of placeholders
 */
export function secretsOf(
  settings: Outgoing & { readonly subprotocols?: readonly string[] },
  resolved: Iterable<string> = [],
): readonly string[] {
  const { url, proxy, tls, headers, greeting, subprotocols = [] } = settings;
  const { farewell, keepalive, protocol, subscriptions, add } = settings;
  const found = new Set<string>(resolved);
  for (const text of [proxy?.username, proxy?.password, tls?.passphrase]) if (text !== undefined) found.add(text);
  for (const value of Object.values(headers)) for (const part of partsOf(value)) found.add(part);
  for (const part of secretsOfUrl(url)) found.add(part);
  for (const name of subprotocols) if (isSecretName(name) || KEY_LIKE.test(name)) found.add(name);
  const isSecret = (text: string, name?: string) => (name !== undefined && isSecretName(name)) || KEY_LIKE.test(text);
  for (const { send, ...expected } of greeting as readonly { readonly send?: unknown }[]) {
    collect(send, found, (text, name) => name === undefined || !NAMING.test(name) || KEY_LIKE.test(text));
    collect(expected, found, isSecret);
  }
  // Of a secret of several lines, such as a credentials file, one line may go out.
  for (const text of found)
    if (text.includes("\n"))
      for (const line of text.split("\n")) if (KEY_LIKE.test(line.trim())) found.add(line.trim());
  collect(unquoted([farewell, keepalive, protocol, subscriptions, add]), found, isSecret);
  return [...found].filter(({ length }) => length >= SECRET_MIN).sort((a, b) => b.length - a.length);
}

/** A header's value, and the credentials in it behind their scheme. */
function partsOf(value: string): string[] {
  const [, behind] = /^\w+ +(.+)$/.exec(value) ?? [];
  return behind === undefined ? [value] : [value, behind];
}

function secretsOfUrl(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { username, password, pathname, search, searchParams } = new URL(url);
  const written = search
    .slice(1)
    .split("&")
    .map((pair) => pair.slice(pair.indexOf("=") + 1));
  const path = pathname.split("/").filter((segment) => KEY_LIKE.test(segment));
  return [username, decodeURIComponentSafely(password), password, ...written, ...searchParams.values(), ...path];
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Adds the texts in a value that `isSecret`, given the name of the nearest member around each. */
function collect(value: unknown, found: Set<string>, isSecret: (text: string, name?: string) => boolean): void {
  const walk = (item: unknown, name?: string): void => {
    if (typeof item === "string") {
      if (isSecret(item, name)) found.add(item);
    } else if (Array.isArray(item)) {
      for (const each of item) walk(each, name);
    } else if (typeof item === "object" && item !== null) {
      for (const [key, each] of Object.entries(item)) walk(each, key);
    }
  };
  walk(value);
}

/** Joins two lists of secrets, longest first: a short one may be a part of a long one. */
export function joinedSecrets(some: readonly string[], others: readonly string[]): readonly string[] {
  if (others.length === 0) return some;
  return [...new Set([...some, ...others])].sort((a, b) => b.length - a.length);
}

/** Replaces secrets, as they are and as JSON writes them. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((masked, secret) => {
    const written = JSON.stringify(secret).slice(1, -1);
    return masked.replaceAll(written, REDACTED).replaceAll(secret, REDACTED);
  }, text);
}

/**
 * Quotes a peer's text for people: on one line, without secrets, at most `max` characters.
 * @param text undefined for bytes that are not UTF-8
 */
export function excerptOf(text: string | undefined, secrets: readonly string[], max = EXCERPT_MAX): string {
  if (text === undefined) return "(bytes)";
  const masked = maskSecrets(text.slice(0, SEARCHED_MAX), secrets).replace(/\s+/g, " ").replace(/\p{C}/gu, "�");
  return masked.length > max ? `${masked.slice(0, max)}…` : masked;
}

/** A proxy for people and for permissions, without its user and password. */
export function shownProxy({ scheme, hostname, port }: ProxyAddress): string {
  return `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** A URL of a peer for people: its credentials, its query and the keys in its path may be secrets. */
export function withoutQuery({ protocol, host, pathname, search }: URL): string {
  const path = pathname.split("/").map((segment) => (KEY_LIKE.test(segment) ? REDACTED : segment));
  return `${protocol}//${host}${path.join("/")}${search === "" ? "" : "?…"}`;
}
