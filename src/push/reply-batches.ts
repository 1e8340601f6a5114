/** The parts of a page for a receiver that replies: each request of the upstream's is delivered alone. */
import type { JournalEntry } from "../core/messages/journal.ts";

/** True for a message to which the response of its receiver may be the reply. */
export function wantsReply(entry: JournalEntry): boolean {
  return "reply" in entry && entry.reply === "wanted";
}

/** Splits entries, in their order, so that those that want a reply are alone. */
export function apart(entries: readonly JournalEntry[]): readonly (readonly JournalEntry[])[] {
  const parts: JournalEntry[][] = [];
  let open: JournalEntry[] | undefined;
  for (const entry of entries) {
    const isAlone = wantsReply(entry);
    if (open && !isAlone) open.push(entry);
    else parts.push([entry]);
    open = isAlone ? undefined : parts.at(-1);
  }
  return parts;
}
