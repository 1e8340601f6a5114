/** The kinds of id that a JSON dialect may want: how ours are written, and how they are read back. */

import type { Span } from "./json-check.ts";
import { idOf } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";
import type { Protocol, WireId } from "./protocol.ts";

/**
 * An integer; one of at most 2^31 - 1; a string of decimal digits; an integer larger than all that were sent before it;
 * or the caller's own, which stays as it is.
 */
export const ID_KINDS = ["int", "int32", "string", "increasing", "keep"] as const;
export type IdKind = (typeof ID_KINDS)[number];

const INT32_MAX = 2 ** 31 - 1;

export interface Ids {
  readonly maxId: number;
  readonly ids: Protocol["ids"];
  /** As it stands in a message. */
  write(id: number): string;
  /** The id that stands there; undefined when it is none of this kind. */
  read(text: string, value: Span): WireId | undefined;
}

export function idsOf(kind: IdKind): Ids {
  const maxId = kind === "int32" ? INT32_MAX : Number.MAX_SAFE_INTEGER;
  switch (kind) {
    case "keep":
      return { maxId, ids: "callers", write: String, read: readOwn };
    case "string":
      return { maxId, ids: "ours", write: (id) => `"${id}"`, read: readString };
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

/** The string that we send is plain digits; one that only reads as the same number is not ours. */
function readString(text: string, value: Span): number | undefined {
  if (kindOf(text, value) !== "string") return undefined;
  const written = stringAt(text, value);
  const id = idOf(written);
  return id === undefined || String(id) !== written ? undefined : id;
}

/** The same id however it is written: 7 and 7.0, "a" and "\u0061"; but not 7 and "7". */
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
