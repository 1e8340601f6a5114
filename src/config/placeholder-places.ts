/** The places of an upstream's settings in which placeholders are resolved later: those that go out. */

import { tokenize } from "../placeholders.ts";
import type { Path } from "./problems.ts";

/** Patterns of paths. `*` is any one key, `**` at the end whatever follows. */
const PLACES: readonly (readonly string[])[] = [
  ["url"],
  ["headers", "*"],
  ["greeting", "*", "send", "**"],
  ["greeting", "*", "expect", "match", "*"],
  ["greeting", "*", "expect", "reject", "match", "*"],
  ["keepalive", "heartbeat", "send", "**"],
  ["protocol", "token"],
  ["protocol", "password"],
  ["protocol", "payload", "**"],
  ["protocol", "answers", "*", "send", "**"],
  ["subscriptions", "*", "request", "**"],
  ["subscriptions", "*", "params", "**"],
  ["subscriptions", "*", "unsubscribe", "**"],
  ["webhooks", "*", "url"],
  ["webhooks", "*", "secret"],
  ["webhooks", "*", "headers", "*"],
];

interface Misplaced {
  readonly path: Path;
  readonly what: string;
}

const ELSEWHERE = "is not resolved here: use ${NAME}, or write the value";
const IN_A_KEY = "is not resolved in a key: use it in a value";
/** The user's module runs on the sidecar's thread, webhooks do not. */
const IN_A_WEBHOOK = "is not resolved in a webhook: use ${file:…}";

/** Finds the placeholders that would stay as they are written. */
export function misplacedPlaceholders(upstream: object): readonly Misplaced[] {
  const found: Misplaced[] = [];
  const look = (text: string, path: Path, isKey = false): void => {
    for (const token of tokenize(text)) {
      const deferred =
        token.kind === "file" || token.kind === "credentials" || (token.kind === "escape" && token.deferred);
      if (!deferred) continue;
      const start = token.kind === "file" ? "${file:…}" : token.kind === "credentials" ? "${credentials:…}" : "$${…";
      if (isKey) found.push({ path, what: `${start} ${IN_A_KEY}` });
      else if (!PLACES.some((place) => isAt(path, place))) found.push({ path, what: `${start} ${ELSEWHERE}` });
      else if (path[0] === "webhooks" && token.kind === "credentials")
        found.push({ path, what: `${start} ${IN_A_WEBHOOK}` });
    }
  };
  const walk = (value: unknown, path: Path): void => {
    if (typeof value === "string") look(value, path);
    if (typeof value !== "object" || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      look(key, path, true);
      walk(item, [...path, Array.isArray(value) ? Number(key) : key]);
    }
  };
  walk(upstream, []);
  return found;
}

function isAt(path: Path, place: readonly string[]): boolean {
  const open = place.at(-1) === "**";
  const keys = open ? place.slice(0, -1) : place;
  if (open ? path.length < keys.length : path.length !== keys.length) return false;
  return keys.every((key, index) => key === "*" || key === path[index]);
}
