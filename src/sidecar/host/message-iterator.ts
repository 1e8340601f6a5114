/** An async iterator over the messages of a journal. */

import type { Page } from "../../core/messages/journal.ts";
import { deferred } from "../../core/util/deferred.ts";
import { refused, SidesocketError } from "../../errors.ts";
import {
  cursorAhead,
  messageOf,
  type ReadSelection,
  readSelection,
  type UpstreamMessage,
} from "../upstream-message.ts";
import type { JournalPulls, ReadEnd } from "./journal-pulls.ts";
import { JournalReader } from "./journal-reader.ts";

interface ReadingOptions extends ReadSelection {
  /** The name of a subscription; by default the main journal is read. */
  readonly journal?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function* readMessages(
  journals: JournalPulls,
  { signal, journal = "", ...selection }: ReadingOptions,
): AsyncGenerator<UpstreamMessage, void> {
  const { start, rules } = readSelection(selection);
  let next = deferred<Page | undefined>();
  let waiting = true;
  let over: ReadEnd | undefined;
  const reader = new JournalReader(journals, { journal, where: rules }, start, {
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
  if (over === "ahead") throw refused("invalid_request", cursorAhead);
  throw new SidesocketError(over);
}
