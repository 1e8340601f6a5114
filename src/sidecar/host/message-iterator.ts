/** An async iterator over the messages of a journal. */

import {
  cursorText,
  type Gap,
  type JournalEntry,
  type MessageKind,
  type Page,
  parseCursor,
} from "../../core/messages/journal.ts";
import { deferred } from "../../core/util/deferred.ts";
import { refused, SidesocketError } from "../../errors.ts";
import { compileWhere } from "../../protocols/condition.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { JournalPulls, ReadEnd } from "./journal-pulls.ts";
import { JournalReader } from "./journal-reader.ts";

/** A message of the upstream, or a gap where messages are missing. */
export type UpstreamMessage =
  | { readonly cursor: string; readonly at: Date; readonly kind: MessageKind; readonly data: Body }
  | { readonly cursor: string; readonly at: Date; readonly gap: Gap["gap"] };

interface ReadingOptions {
  readonly after?: string | undefined;
  readonly where?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function* readMessages(
  journals: JournalPulls,
  { after = "earliest", where = {}, signal }: ReadingOptions,
): AsyncGenerator<UpstreamMessage, void> {
  const start = after === "earliest" || after === "latest" ? after : parseCursor(after);
  if (start === undefined) throw refused("invalid_request", "after must be a message's cursor, earliest or latest");
  const rules = Object.entries(where).map(([pointer, value]) => ({ pointer, value: String(value) }));
  try {
    compileWhere(rules);
  } catch (error) {
    throw refused("invalid_request", `where: ${(error as Error).message}`);
  }
  let next = deferred<Page | undefined>();
  let waiting = true;
  let over: ReadEnd | undefined;
  const reader = new JournalReader(journals, { journal: "", where: rules }, start, {
    wants: () => waiting,
    page: (page) => {
      waiting = false;
      next.resolve(page);
    },
    end: (end) => {
      over = end;
      next.resolve(undefined);
    },
  });
  const leave = () => next.resolve(undefined);
  signal?.addEventListener("abort", leave, { once: true });
  try {
    while (!signal?.aborted) {
      reader.resume();
      const page = await next.promise;
      if (!page) break;
      next = deferred();
      for (const entry of page.entries) yield messageOf(page.epoch, entry);
      if (over !== undefined) break;
      waiting = true;
    }
  } finally {
    signal?.removeEventListener("abort", leave);
    reader.close();
  }
  if (over === undefined || over === "stopping" || over === "nowhere") return;
  if (over === "ahead") throw refused("invalid_request", "after is a cursor beyond the newest message");
  throw new SidesocketError(over);
}

function messageOf(epoch: string, entry: JournalEntry): UpstreamMessage {
  const head = { cursor: cursorText({ epoch, seq: entry.seq }), at: new Date(entry.at) };
  return "gap" in entry ? { ...head, gap: entry.gap } : { ...head, kind: entry.kind, data: entry.data };
}
