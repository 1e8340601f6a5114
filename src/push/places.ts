/** Places of a journal up to which messages were pushed. */
import type { Cursor, Start } from "../core/messages/journal.ts";

/** The place that is further on; if they are of two epochs, the one that all replicas know. */
export function furtherOf(own: Start, kept: Cursor | undefined): Start {
  if (!kept) return own;
  return typeof own !== "string" && own.epoch === kept.epoch && own.seq > kept.seq ? own : kept;
}
