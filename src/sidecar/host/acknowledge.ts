/** The acknowledgement of messages by a reader: which answers it has sent, or why there can be none. */

import { ownedElsewhere } from "../../core/exchange/failures.ts";
import { parseCursor } from "../../core/messages/journal.ts";
import { refused, SidesocketError } from "../../errors.ts";
import type { JournalPulls } from "./journal-pulls.ts";

/** How long the thread may take to send answers, in milliseconds. */
const WITHIN_MS = 5_000;

/**
 * Acknowledges the messages of a journal up to a cursor. @returns the number of answers that were sent for them
 * @throws SidesocketError `invalid_request` for a wrong cursor, `gone` if its messages are not kept any more,
 *   `not_found` without the journal, `reply_timeout` if the thread does not tell in time
 */
export async function acknowledge(journals: JournalPulls, journal: string, cursor: string): Promise<number> {
  const through = parseCursor(cursor);
  if (!through) throw refused("invalid_request", "through must be the cursor of a message, or the `next` of a page");
  const answered = await journals.acknowledge(journal, through, WITHIN_MS);
  switch (answered) {
    case undefined: {
      const detail = "the sidecar's thread did not say whether the answers were sent: acknowledge again";
      throw new SidesocketError({ code: "reply_timeout", sent: "maybe", detail });
    }
    case "gone":
      throw refused("gone", "these messages are not kept any more, and the answers to them were never sent");
    case "elsewhere":
      throw new SidesocketError(ownedElsewhere);
    case "ahead":
      throw refused("invalid_request", "through is ahead of the newest message");
    case "nowhere":
      throw refused("not_found", "the subscription of these messages does not exist, or no longer");
    default:
      return answered;
  }
}
