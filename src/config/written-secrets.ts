/**
 * The secrets that a configuration has written out, each of which a placeholder takes the place of (threat T7).
 *
 * Every text is taken for one, unless its place is known to be harmless: a setting that is not in the table below may
 * be hidden needlessly, and is never shown by mistake.
 */

import { outgoingOptions } from "../protocols/outgoing-options.ts";
import { preset, presetNames } from "../protocols/presets.ts";
import { tokenize, variablePlaceholder } from "../secrets/placeholders.ts";
import { isKeyLike, isNaming, isSecretName, SECRET_MIN } from "../secrets/secrets.ts";
import { isClosedPlace } from "./closed-places.ts";
import type { WrittenConfig } from "./defaults.ts";
import { dotted, type Path } from "./problems.ts";

/** The extent to which a text is hidden, where that is not "all". */
type Extent = "all" | keyof typeof PLACES;

/**
 * Places of texts that are shown, or some of which is. `*` is any one key, `**` whatever follows. Places that take only
 * units, enumerations or bounded numbers are shown without being here.
 */
const PLACES = {
  /** Names, addresses, files and pointers. */
  none: placesOf(
    ["listen.host", "listen.path", "listen.mode", "listen.tls.cert", "listen.tls.key", "listen.tls.ca"],
    ["cluster.name", "cluster.credentials_file", "cluster.ca_file"],
    ["listen.hosts.*", "listen.origins.*", "listen.cors.allow_headers.*", "listen.metrics.host"],
    below("upstreams.*", "proxy.except.*", "failover.*", "ca", "credentials", "redirects.*", "params.*"),
    below("upstreams.*.tls", "ca", "cert", "key", "pfx", "servername"),
    below("upstreams.*", "capture.*.values.*", "reconnect.to_address.at", "reconnect.to_address.hosts.*"),
    below("upstreams.*", "subscriptions.*.id", "webhooks.*.subscription", "instances.credential"),
    below("upstreams.*", "webhooks.*.proxy.except.*", "protocol"),
    below("upstreams.*.protocol", "frames.split", "answers.*.copy.*", "version", "schema", "intents"),
    below("upstreams.*.protocol", "model", "voice", "modality"),
  ),
  /** Texts with a secret's name or the look of a key: in conditions on what comes in, and in places of ids. */
  keys: placesOf(
    below("upstreams.*", "greeting.*.expect.**", "greeting.*.reject.**", "farewell.*.expect.**"),
    below("upstreams.*", "keepalive.heartbeat.expect.**", "capture.*.when.**"),
    below("upstreams.*", "reconnect.rotate.on.**", "reconnect.to_address.when.**"),
    below("upstreams.*.protocol", "id.**", "reply.**", "skip.**", "final.**", "ignore.**", "sends.**"),
    below("upstreams.*.protocol", "errors.when.**", "answers.*.when.**"),
    below("upstreams.*.subscriptions.*", "match.**", "has.**", "lacks.**", "text.**", "any.**", "all.**", "not.**"),
    below("upstreams.*.subscriptions.*", "agreed.**", "refused.**", "ended.**"),
    below("upstreams.*.webhooks.*", "where.**", "when.**"),
  ),
  /** Texts that are no names in a message. */
  sent: placesOf(
    below("upstreams.*", "greeting.*.send.**", "farewell.*.send.**", "keepalive.heartbeat.send.**", "add.**"),
    below("upstreams.*.protocol", "cancel.**", "answers.*.send.**"),
    below("upstreams.*.subscriptions.*", "request.**", "params.**", "unsubscribe.**"),
  ),
  /** The user, the password, the values of the query, and keys in the path. */
  url: placesOf([
    "$schema",
    "cluster.servers.*",
    "upstreams.*.url",
    "upstreams.*.protocol.root",
    "upstreams.*.webhooks.*.url",
  ]),
  /** The user and the password. */
  proxy: placesOf(
    below("upstreams.*", "proxy", "proxy.url"),
    below("upstreams.*", "webhooks.*.proxy", "webhooks.*.proxy.url"),
  ),
  /** Subprotocols of no preset: in these, tokens are sent. */
  subprotocol: placesOf(["upstreams.*.subprotocols.*"]),
} as const;

type KnownPlace = readonly string[];

function placesOf(...lists: readonly (readonly string[])[]): readonly KnownPlace[] {
  return lists.flat().map((place) => place.split("."));
}

function below(base: string, ...places: readonly string[]): readonly string[] {
  return places.map((place) => `${base}.${place}`);
}

/** A configuration without its secrets. */
export interface WithoutSecrets {
  readonly value: WrittenConfig;
  /** The variables that stand for texts. */
  readonly variables: readonly string[];
  /** The places of numbers, which no variable can stand for: it would be a text. */
  readonly numbers: readonly string[];
}

/** Stands for a number. A start refuses it, since no variable has such a name. */
export const NUMBER_PLACEHOLDER = "${a number}";

/**
 * Puts a placeholder in place of each secret. Placeholders that are there stay.
 * @param taken variables that the configuration names by itself
 */
export function withoutSecrets(written: WrittenConfig, taken: readonly string[]): WithoutSecrets {
  const variables: string[] = [];
  const numbers: string[] = [];
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
    if ((typeof value !== "string" && typeof value !== "number") || isClosedPlace(path, value)) return value;
    const extent = extentOf(path, options);
    if (typeof value === "string") return masked(value, path, extent, () => placeholderFor(path));
    if (!isSecretNumber(value, path, extent)) return value;
    numbers.push(dotted(path));
    return NUMBER_PLACEHOLDER;
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
  return { value, variables, numbers };
}

/** @param options the options of the upstream's preset that only go out */
function extentOf(path: Path, options: readonly string[]): Extent {
  const [root, , setting, option] = path;
  if (root === "upstreams" && setting === "protocol" && options.includes(String(option))) return "all";
  const extents = Object.keys(PLACES) as (keyof typeof PLACES)[];
  return extents.find((extent) => PLACES[extent].some((place) => isAt(path, place))) ?? "all";
}

function isAt(path: Path, place: KnownPlace): boolean {
  const isOpen = place.at(-1) === "**";
  const keys = isOpen ? place.slice(0, -1) : place;
  if (isOpen ? path.length < keys.length : path.length !== keys.length) return false;
  return keys.every((key, index) => key === "*" || key === String(path[index]));
}

/** The name of the nearest member around a value, which for an item of a list is that of the list. */
function nameAt(path: Path): string {
  const key = [...path].reverse().find((each) => typeof each === "string") ?? "";
  return String(key).split("/").at(-1) ?? "";
}

/** A short number cannot be told from a version or a depth, and hides nothing. */
function isSecretNumber(value: number, path: Path, extent: Extent): boolean {
  if (isSecretName(nameAt(path))) return true;
  if (extent === "none" || extent === "keys") return false;
  return String(value).length >= SECRET_MIN && (extent !== "sent" || !isNaming(nameAt(path)));
}

/** Stands for a placeholder while the literal text around it is looked at. */
const MARK = "\uE000";

/** The names in a message that stand for ids and for the caller's message, and those in an answer, for groups. */
const NAMES = /\$(?:id|alias|message)\b/g;
const GROUP_NAMES = /\$[A-Za-z_]\w*/g;

function masked(text: string, path: Path, extent: Extent, placeholder: () => string): string {
  if (extent === "none" || text === "") return text;
  // Such a text could not be told from the marks.
  if (text.includes(MARK)) return placeholder();
  const kept: string[] = [];
  const keep = (source: string) => {
    kept.push(source);
    return MARK;
  };
  const names = extent !== "sent" ? undefined : path[3] === "answers" ? GROUP_NAMES : NAMES;
  // An escaped start of a placeholder is as literal as the rest.
  const isLiteral = (kind: string) => ["text", "escape", "quoted", "malformed"].includes(kind);
  const flat = tokenize(text)
    .map(({ kind, source }) => (!isLiteral(kind) ? keep(source) : names ? source.replaceAll(names, keep) : source))
    .join("");
  return hide(flat, nameAt(path), extent, placeholder).replaceAll(MARK, () => kept.shift() ?? "");
}

function hide(flat: string, name: string, extent: Extent, placeholder: () => string): string {
  const literals = (part: string) => withoutLiterals(part, placeholder);
  switch (extent) {
    case "url":
      return withoutKeys(flat, literals);
    case "proxy":
      return withoutLogin(flat, literals);
    case "subprotocol":
      return isOfPreset(flat) ? flat : literals(flat);
    case "keys":
      return isSecretName(name) || hasKey(flat) ? literals(flat) : flat;
    case "sent":
      return isNaming(name) && !hasKey(flat) ? flat : literals(flat);
    default:
      return literals(flat);
  }
}

function isOfPreset(subprotocol: string): boolean {
  return presetNames.some((name) => preset(name)?.subprotocols?.includes(subprotocol));
}

/** The characters of a generated key. A slash is one of a pointer, too. */
const KEY_WORD = /[\w+=.~-]+/g;

function hasKey(text: string): boolean {
  return (!text.startsWith("/") && isKeyLike(text)) || (text.match(KEY_WORD) ?? []).some(isKeyLike);
}

/** The schemes of credentials in a header. */
const SCHEME = /^(?:apikey|basic|bearer|bot|digest|dpop|key|negotiate|oauth|token) +/i;
const SEPARATORS = String.raw`[\s:;,&=]*`;
const LITERAL = new RegExp(`^(?<before>${SEPARATORS})(?<secret>.*?)(?<after>${SEPARATORS})$`, "s");

/** Hides all that is literal; beside placeholders, without the scheme and the separators next to them. */
function withoutLiterals(flat: string, placeholder: () => string): string {
  if (flat === "") return "";
  if (!flat.includes(MARK)) return placeholder();
  const [scheme = ""] = SCHEME.exec(flat) ?? [];
  const rest = flat.slice(scheme.length).replaceAll(/[^\uE000]+/g, (literal) => {
    const { before = "", secret = "", after = "" } = LITERAL.exec(literal)?.groups ?? {};
    return secret === "" ? literal : `${before}${placeholder()}${after}`;
  });
  return `${scheme}${rest}`;
}

/** The parts of a URL, also of one of a Unix socket. The login ends at the last `@` before the path. */
const URL_PARTS =
  /^(?<scheme>[a-z\d+.-]+:[/\\]*)(?:(?<login>[^/\\?#]*)@)?(?<rest>[^?#]*)(?:\?(?<query>[^#]*))?(?:#(?<hash>.*))?$/is;

type Literals = (part: string) => string;

function withoutKeys(flat: string, literals: Literals): string {
  const { scheme, login, rest = "", query, hash } = URL_PARTS.exec(flat)?.groups ?? {};
  if (scheme === undefined) return literals(flat);
  return [
    scheme,
    login === undefined ? "" : `${halves(login, literals)}@`,
    rest.replaceAll(KEY_WORD, (word, at: number) => (at > 0 && isKeyLike(word) ? literals(word) : word)),
    query === undefined
      ? ""
      : `?${query
          .split("&")
          .map((pair) => withoutValue(pair, literals))
          .join("&")}`,
    hash === undefined ? "" : `#${literals(hash)}`,
  ].join("");
}

/** Hides the value of a parameter, or the whole of one that is no name with a value. */
function withoutValue(pair: string, literals: Literals): string {
  const [name = "", ...value] = pair.split("=");
  const isNamed = name !== "" && value.join("") !== "" && !name.includes(MARK) && !isKeyLike(name);
  return isNamed ? `${name}=${literals(value.join("="))}` : literals(pair);
}

/** The parts of a proxy's URL, which has no path: the password may have any character. */
const PROXY_PARTS = /^(?<scheme>[a-z\d]+:\/\/)(?:(?<login>.*)@)?(?<rest>[^@]*)$/is;

function withoutLogin(flat: string, literals: Literals): string {
  const { scheme, login, rest } = PROXY_PARTS.exec(flat)?.groups ?? {};
  if (scheme === undefined) return flat === "env" ? flat : literals(flat);
  return `${scheme}${login === undefined ? "" : `${halves(login, literals)}@`}${rest}`;
}

function halves(login: string, literals: Literals): string {
  return login.split(":").map(literals).join(":");
}
