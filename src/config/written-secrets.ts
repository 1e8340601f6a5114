/** The secrets that a configuration has written out, each of which a variable takes the place of (threat T7). */

import { outgoingOptions } from "../protocols/outgoing-options.ts";
import { tokenize, variablePlaceholder } from "../secrets/placeholders.ts";
import { isKeyLike, isNaming, isSecretName } from "../secrets/secrets.ts";
import type { WrittenConfig } from "./defaults.ts";
import type { Path } from "./problems.ts";

/** The extent to which a text is secret: all of it, what is no name of a message, or what looks like a key. */
type Extent = "all" | "sent" | "keys" | "url";

/** Paths below an upstream. `*` is any one key, `**` whatever follows. The first that fits counts. */
const PLACES: readonly (readonly [extent: Extent, ...path: string[]])[] = [
  ["url", "url"],
  ["url", "proxy"],
  ["url", "proxy", "url"],
  ["all", "tls", "passphrase"],
  ["all", "headers", "*"],
  ["keys", "subprotocols", "*"],
  ["sent", "greeting", "*", "send", "**"],
  ["keys", "greeting", "**"],
  ["sent", "farewell", "*", "send", "**"],
  ["keys", "farewell", "**"],
  ["sent", "keepalive", "heartbeat", "send", "**"],
  ["keys", "keepalive", "heartbeat", "**"],
  ["keys", "protocol", "answers", "**"],
  ["keys", "subscriptions", "*", "request", "**"],
  ["keys", "subscriptions", "*", "params", "**"],
  ["keys", "subscriptions", "*", "unsubscribe", "**"],
  ["sent", "add", "**"],
  ["url", "webhooks", "*", "url"],
  ["url", "webhooks", "*", "proxy"],
  ["url", "webhooks", "*", "proxy", "url"],
  ["all", "webhooks", "*", "secret", "**"],
  ["all", "webhooks", "*", "headers", "*"],
];

/** A configuration without its secrets, and the variables that stand for them. */
export interface WithoutSecrets {
  readonly value: WrittenConfig;
  readonly variables: readonly string[];
}

/**
 * Puts a placeholder in place of each secret. Placeholders that are there stay.
 * @param taken variables that the configuration names by itself
 */
export function withoutSecrets(written: WrittenConfig, taken: readonly string[]): WithoutSecrets {
  const variables: string[] = [];
  const placeholderFor = (path: Path): string => {
    const base = path.map((key) => String(key).replaceAll(/\W/g, "_").toUpperCase()).join("_");
    let name = base;
    for (let number = 2; taken.includes(name) || variables.includes(name); number++) name = `${base}_${number}`;
    variables.push(name);
    return variablePlaceholder(name);
  };
  const walk = (value: unknown, path: Path, options: readonly string[]): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index], options));
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each, [...path, key], options)]));
    const extent = extentOf(path, options);
    if (extent === undefined) return value;
    if (typeof value === "string") return masked(value, path, extent, () => placeholderFor(path));
    return typeof value === "number" && isSecretName(nameAt(path)) ? placeholderFor(path) : value;
  };
  const value = Object.fromEntries(
    Object.entries(written).map(([root, part]) => {
      if (root !== "upstreams" || typeof part !== "object" || part === null) return [root, walk(part, [root], [])];
      const upstreams = Object.entries(part).map(([name, settings]) => {
        const options = outgoingOptions((settings as { readonly protocol?: unknown } | null)?.protocol);
        return [name, walk(settings, [root, name], options)];
      });
      return [root, Object.fromEntries(upstreams)];
    }),
  );
  return { value, variables };
}

/** @param options the options of the upstream's preset that only go out */
function extentOf([root, , ...path]: Path, options: readonly string[]): Extent | undefined {
  if (root === "listen") return path.length === 1 && path[0] === "passphrase" ? "all" : undefined;
  if (root !== "upstreams") return undefined;
  if (path[0] === "protocol" && options.includes(String(path[1]))) return "all";
  return PLACES.find(([, ...place]) => isAt(path, place))?.[0];
}

function isAt(path: Path, place: readonly string[]): boolean {
  const isOpen = place.at(-1) === "**";
  const keys = isOpen ? place.slice(0, -1) : place;
  if (isOpen ? path.length < keys.length : path.length !== keys.length) return false;
  return keys.every((key, index) => key === "*" || key === String(path[index]));
}

/** The name of the nearest member around a value, which for an item of a list is that of the list. */
function nameAt(path: Path): string {
  return String([...path].reverse().find((key) => typeof key === "string") ?? "");
}

function masked(text: string, path: Path, extent: Extent, placeholder: () => string): string {
  if (extent === "url") return maskedUrl(text, placeholder);
  const tokens = tokenize(text);
  // An escaped start of a placeholder is as literal as the rest.
  if (tokens.some(({ kind }) => kind !== "text" && kind !== "escape")) return maskedKeys(tokens, placeholder);
  const isSecret =
    extent === "all" ||
    isKeyLike(text) ||
    (extent === "sent" ? !isNaming(nameAt(path)) : isSecretName(nameAt(path)) || isSecretSubprotocol(text, path));
  return isSecret && text !== "" ? placeholder() : text;
}

function isSecretSubprotocol(text: string, path: Path): boolean {
  return path[2] === "subprotocols" && isSecretName(text);
}

/** Masks the keys that stand beside placeholders. */
function maskedKeys(tokens: ReturnType<typeof tokenize>, placeholder: () => string): string {
  return tokens
    .map(({ kind, source }) =>
      kind === "text" ? source.replaceAll(/[^\s:;,&]+/g, (word) => (isKeyLike(word) ? placeholder() : word)) : source,
    )
    .join("");
}

/** The parts of a URL, also of one of a Unix socket. */
const URL_PARTS = /^(?<scheme>[a-z+\d]+:(?:\/\/)?)(?:(?<login>[^/?#@]*)@)?(?<rest>[^?#]*)(?<query>\?[^#]*)?/i;

/** Masks the user, the password, the values of the query, and keys in the path. */
function maskedUrl(text: string, placeholder: () => string): string {
  const kept: string[] = [];
  // A placeholder may have the characters that separate the parts of a URL.
  const flat = tokenize(text)
    .map(({ kind, source }) => (kind === "text" ? source : `\uE000${kept.push(source) - 1}\uE001`))
    .join("");
  const { scheme, login, rest = "", query = "" } = URL_PARTS.exec(flat)?.groups ?? {};
  if (scheme === undefined) return text;
  const literal = (part: string) => (part === "" || part.includes("\uE000") ? part : placeholder());
  const parts = [
    scheme,
    login === undefined ? "" : `${login.split(":").map(literal).join(":")}@`,
    rest.replaceAll(/[^/:]+/g, (segment, at: number) => (at > 0 && isKeyLike(segment) ? placeholder() : segment)),
    query.replaceAll(/=([^&]*)/g, (_, value: string) => `=${literal(value)}`),
  ];
  return parts.join("").replaceAll(/\uE000(\d+)\uE001/g, (_, index: string) => kept[Number(index)] ?? "");
}
