/** The places of an upstream's settings in which placeholders are resolved later: those that go out. */

import { type CaptureRule, capturePlan, type DurationOfValue } from "../protocols/capture-plan.ts";
import { outgoingOptions } from "../protocols/outgoing-options.ts";
import type { GreetingStep } from "../protocols/preset.ts";
import { capturedPlaceholder, type DeferredKind, isDeferred, type Token, tokenize } from "../secrets/placeholders.ts";
import type { Path } from "./problems.ts";

/** Patterns of paths. `*` is any one key, `**` at the end whatever follows. */
const PLACES: Places = [
  ["url"],
  ["headers", "*"],
  ["greeting", "*", "send", "**"],
  ["greeting", "*", "expect", "match", "*"],
  ["greeting", "*", "expect", "reject", "match", "*"],
  ["farewell", "*", "send", "**"],
  ["keepalive", "heartbeat", "send", "**"],
  ["protocol", "answers", "*", "send", "**"],
  ["subscriptions", "*", "request", "**"],
  ["subscriptions", "*", "params", "**"],
  ["subscriptions", "*", "unsubscribe", "**"],
  ["add", "**"],
  ["webhooks", "*", "url"],
  ["webhooks", "*", "secret"],
  ["webhooks", "*", "headers", "*"],
  ["webhooks", "*", "proxy", "username"],
  ["webhooks", "*", "proxy", "password"],
];

/** The places on the way to the upstream, in which callers have no say. */
const WAY_PLACES: Places = [
  ["proxy", "username"],
  ["proxy", "password"],
  ["tls", "passphrase"],
];

/** The places of values that frames bring. */
const CAPTURED_PLACES: Places = [
  ["url"],
  ["headers", "*"],
  ["greeting", "*", "send", "**"],
  ["farewell", "*", "send", "**"],
  ["keepalive", "heartbeat", "send", "**"],
  ["protocol", "answers", "*", "send", "**"],
  ["subscriptions", "*", "request", "**"],
  ["subscriptions", "*", "params", "**"],
  ["subscriptions", "*", "unsubscribe", "**"],
  ["add", "**"],
];

/** The places of which everything that goes out is kept secret. */
const SECRET_PLACES: Places = [
  ["headers", "*"],
  ["greeting", "*", "send", "**"],
];

/** The parameter whose value is the credential of an instance's caller. */
export const CREDENTIAL_PARAM = "credential";

type Places = readonly (readonly string[])[];

interface Misplaced {
  readonly path: Path;
  readonly what: string;
}

const ELSEWHERE = "is not resolved here: use ${NAME}, or write the value";
const IN_A_KEY = "is not resolved in a key: use it in a value";
/** The user's module runs on the sidecar's thread, webhooks do not; and instances have none. */
const IN_A_WEBHOOK = "is not resolved in a webhook: use ${file:…}";

const NOT_SECRET = "is not kept secret here: use the credential in a header, or in what a greeting sends";

/** @param options the places of the preset's options that go out */
function isPlace(path: Path, kind: DeferredKind, options: Places = []): boolean {
  // A captured value is put in later than all others.
  if (kind === "conn") return isAmong(path, CAPTURED_PLACES);
  return isAmong(path, PLACES) || isAmong(path, options) || (kind !== "param" && isAmong(path, WAY_PLACES));
}

/** Calls `look` with each text of a value, and with each of its keys. */
function eachText(value: unknown, path: Path, look: (text: string, path: Path, isKey: boolean) => void): void {
  if (typeof value === "string") look(value, path, false);
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    look(key, path, true);
    eachText(item, [...path, Array.isArray(value) ? Number(key) : key], look);
  }
}

/** Finds the placeholders that would stay as they are written. */
export function misplacedPlaceholders(upstream: { readonly protocol?: unknown }): readonly Misplaced[] {
  const found: Misplaced[] = [];
  const options = outgoingOptions(upstream.protocol).map((option) => ["protocol", option, "**"]);
  eachText(upstream, [], (text, path, isKey) => {
    for (const token of tokenize(text)) {
      const kind = isDeferred(token) ? token.kind : token.kind === "escape" ? token.before : undefined;
      if (kind === undefined) continue;
      const start = token.kind === "escape" ? "$${…" : `$${"{"}${kind}:…}`;
      if (isKey) found.push({ path, what: `${start} ${IN_A_KEY}` });
      else if (!isPlace(path, kind, options)) found.push({ path, what: `${start} ${ELSEWHERE}` });
      else if (isCredential(token) && !isAmong(path, SECRET_PLACES) && !isAmong(path, options))
        found.push({ path, what: `${start} ${NOT_SECRET}` });
      else if (path[0] === "webhooks" && (token.kind === "credentials" || token.kind === "param"))
        found.push({ path, what: `${start} ${IN_A_WEBHOOK}` });
    }
  });
  return found;
}

/** The settings that captured values are put into. */
interface Capturing {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly greeting: readonly GreetingStep[];
  readonly capture: readonly CaptureRule[];
  readonly keepalive: { readonly heartbeat: { readonly every: number | DurationOfValue } | null };
}

/** Finds the values that are not there, or cannot be there, where they are needed. */
export function misusedValues(upstream: Capturing): readonly Misplaced[] {
  const { url, greeting, keepalive, capture: _, ...rest } = upstream;
  const { names: known, kept, resuming } = capturePlan(upstream);
  const found: Misplaced[] = [];
  const look = (name: string, path: Path): void => {
    const wrong = (what: string) => found.push({ path, what: `${capturedPlaceholder(name)} ${what}` });
    const isHandshake = path[0] === "url" || path[0] === "headers";
    if (!known.has(name)) wrong(`names no value of capture (${[...known].join(", ") || "there are none"})`);
    else if (isHandshake && !kept.has(name)) wrong("is not known before the connection: its capture needs keep: true");
  };
  eachText({ url, greeting, ...rest }, [], (text, path, isKey) => {
    if (isKey || !isPlace(path, "conn")) return;
    for (const token of tokenize(text)) if (token.kind === "conn") look(token.name, path);
  });
  const every = keepalive.heartbeat?.every;
  if (typeof every === "object") look(every.value, ["keepalive", "heartbeat", "every"]);
  if (tokenize(url.split("?", 1)[0] ?? "").some(({ kind }) => kind === "conn"))
    found.push({ path: ["url"], what: "may have ${conn:…} only in its query" });
  greeting.forEach(({ first }, index) => {
    if (first === undefined) return;
    const what = "needs a step with first: false that sends ${conn:…}, or one in url or headers, of a value with keep";
    if (resuming.size === 0) found.push({ path: ["greeting", index, "first"], what });
  });
  return found;
}

function isCredential(token: Token): boolean {
  return token.kind === "param" && token.name === CREDENTIAL_PARAM;
}

function isAmong(path: Path, places: Places): boolean {
  return places.some((place) => isAt(path, place));
}

function isAt(path: Path, place: readonly string[]): boolean {
  const open = place.at(-1) === "**";
  const keys = open ? place.slice(0, -1) : place;
  if (open ? path.length < keys.length : path.length !== keys.length) return false;
  return keys.every((key, index) => key === "*" || key === path[index]);
}
