/** Messages as the library's readers receive them, and the options of a reader. */

import {
  cursorText,
  type Gap,
  type JournalEntry,
  type MessageKind,
  parseCursor,
  type Start,
} from "../core/messages/journal.ts";
import type { ReplyState } from "../core/messages/upstream-requests.ts";
import { refused } from "../errors.ts";
import { compileWhere, type Rule } from "../protocols/condition.ts";
import type { Body } from "../protocols/protocol.ts";

/** A message of the upstream, or a gap where messages are missing. */
export type UpstreamMessage =
  | {
      readonly cursor: string;
      readonly at: Date;
      readonly kind: MessageKind;
      readonly data: Body;
      /** Only on a request of the upstream's own: its state when it was read. `reply` of the upstream replies to it. */
      readonly reply?: ReplyState | undefined;
    }
  | { readonly cursor: string; readonly at: Date; readonly gap: Gap["gap"] };

export interface ReadSelection {
  /** The start: a cursor, after which reading begins, or `earliest` (the default) or `latest`. */
  readonly after?: string | undefined;
  /** Filter: only messages with all of these values, by JSON pointer. */
  readonly where?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  /** Filter: only messages with a value at all of these places, which are JSON pointers. */
  readonly has?: readonly string[] | undefined;
}

/** @throws SidesocketError `invalid_request` if the cursor or a pointer is invalid */
export function readSelection({ after = "earliest", where = {}, has = [] }: ReadSelection): {
  readonly start: Start;
  readonly rules: readonly Rule[];
} {
  const start = after === "earliest" || after === "latest" ? after : parseCursor(after);
  if (start === undefined) throw refused("invalid_request", "after must be a message's cursor, earliest or latest");
  const values = Object.entries(where).map(([pointer, value]) => ({ pointer, value: String(value) }));
  const rules: readonly Rule[] = [...values, ...has.map((pointer) => ({ pointer }))];
  try {
    compileWhere(rules);
  } catch (error) {
    throw refused("invalid_request", `where: ${(error as Error).message}`);
  }
  return { start, rules };
}

/** The cursor of a reader that has read beyond the newest message. */
export const cursorAhead = "after is a cursor beyond the newest message";

export function messageOf(epoch: string, entry: JournalEntry): UpstreamMessage {
  const head = { cursor: cursorText({ epoch, seq: entry.seq }), at: new Date(entry.at) };
  if ("gap" in entry) return { ...head, gap: entry.gap };
  const { kind, data, reply } = entry;
  return reply === undefined ? { ...head, kind, data } : { ...head, kind, data, reply };
}
