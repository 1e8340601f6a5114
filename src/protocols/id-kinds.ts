/** Kinds of id on the wire: how each is written into a request and read from a reply. */

import type { Span } from "./json-check.ts";
import { idOf } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";
import type { Protocol, WireId } from "./protocol.ts";

/**
 * - `int`: an integer.
 * - `int32`: an integer of at most 2^31 - 1.
 * - `string`: a string of decimal digits, behind a prefix if there is one.
 * - `uuid`: a string that is a UUID of version 4, whose last 48 bits count.
 * - `increasing`: an integer larger than every id sent before it.
 * - `keep`: the caller's own id, unchanged.
 */
export const ID_KINDS = ["int", "int32", "string", "uuid", "increasing", "keep"] as const;
export type IdKind = (typeof ID_KINDS)[number];

const INT32_MAX = 2 ** 31 - 1;
const UINT48_MAX = 2 ** 48 - 1;

/** The length of a UUID without its last group. */
const UUID_BASE = 24;

export interface IdOptions {
  /** The beginning of ids of kind `string`. */
  readonly prefix?: string | undefined;
  /** A random UUID, so that no other process has the same ids, or {@link ANY_SEED}; only `uuid` needs it. */
  readonly seed?: string | undefined;
}

/**
 * In place of a seed: any UUID is an id, and is read as a text. For what other processes have sent and received, which
 * is played back; those that are written are no UUIDs.
 */
export const ANY_SEED = "any";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The seed of a protocol whose ids never reach a wire, such as one that a configuration is checked with. */
const ZERO_SEED = "00000000-0000-4000-8000-000000000000";

export interface Ids {
  readonly maxId: number;
  readonly ids: Protocol["ids"];
  /** Returns the id as JSON text. */
  write(id: number): string;
  /** Reads an id; undefined if the value is not an id of this kind. */
  read(text: string, value: Span): WireId | undefined;
}

export function idsOf(kind: IdKind, { prefix = "", seed = ZERO_SEED }: IdOptions = {}): Ids {
  const maxId = kind === "int32" ? INT32_MAX : Number.MAX_SAFE_INTEGER;
  switch (kind) {
    case "keep":
      return { maxId, ids: "callers", write: String, read: readOwn };
    case "string":
      return {
        maxId,
        ids: "ours",
        write: (id) => JSON.stringify(`${prefix}${id}`),
        read: (text, value) => readString(text, value, prefix),
      };
    case "uuid": {
      const base = seed.slice(0, UUID_BASE);
      const write = (id: number) => `"${base}${id.toString(16).padStart(12, "0")}"`;
      const read = seed === ANY_SEED ? readAnyUuid : (text: string, value: Span) => readUuid(text, value, base);
      return { maxId: UINT48_MAX, ids: "ours", write, read };
    }
    default: {
      const ids = kind === "increasing" ? "increasing" : "ours";
      return { maxId, ids, write: String, read: (text, value) => readNumber(text, value, maxId) };
    }
  }
}

function readNumber(text: string, value: Span, maxId: number): number | undefined {
  if (kindOf(text, value) !== "number") return undefined;
  const id = idOf(text.slice(value.start, value.end));
  return id === undefined || id > maxId ? undefined : id;
}

/** Only plain digits are ours: "07" or "7.0" is a different string, although it reads as the same number. */
function readString(text: string, value: Span, prefix: string): number | undefined {
  if (kindOf(text, value) !== "string") return undefined;
  const whole = stringAt(text, value);
  if (!whole.startsWith(prefix)) return undefined;
  const written = whole.slice(prefix.length);
  const id = idOf(written);
  return id === undefined || String(id) !== written ? undefined : id;
}

function readUuid(text: string, value: Span, base: string): number | undefined {
  const written = readAnyUuid(text, value);
  return written?.startsWith(base) ? Number.parseInt(written.slice(UUID_BASE), 16) : undefined;
}

/** Some upstreams repeat a UUID in capitals. */
function readAnyUuid(text: string, value: Span): string | undefined {
  if (kindOf(text, value) !== "string") return undefined;
  const written = stringAt(text, value).toLowerCase();
  return UUID.test(written) ? written : undefined;
}

/** Normalizes the spelling of an id: 7 and 7.0 are equal, and so are "a" and "\u0061", but not 7 and "7". */
function readOwn(text: string, value: Span): string | undefined {
  switch (kindOf(text, value)) {
    case "string":
      return JSON.stringify(stringAt(text, value));
    case "number": {
      const written = text.slice(value.start, value.end);
      return String(idOf(written) ?? written);
    }
    default:
      return undefined;
  }
}
