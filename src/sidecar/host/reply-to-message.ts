/** The reply of a caller to a request of the upstream's, which is a message with a cursor. */

import { failed } from "../../core/exchange/failures.ts";
import { parseCursor } from "../../core/messages/journal.ts";
import { unrepliable } from "../../core/messages/upstream-requests.ts";
import type { CallerOutcome } from "../../core/outcome.ts";
import type { OutgoingReply, UpstreamClient } from "./upstream-client.ts";

/** How long the thread may take to send a reply, in milliseconds: it waits for nothing. */
const WITHIN_MS = 5_000;

/** @returns `done` once the reply was handed to the socket. Rejects only if the signal aborts */
export async function replyToMessage(
  upstream: Pick<UpstreamClient, "reply">,
  cursor: string,
  body: string,
  call: Pick<OutgoingReply, "trace" | "signal"> = {},
): Promise<CallerOutcome> {
  const to = parseCursor(cursor);
  if (!to) return failed(unrepliable.unknown, undefined);
  return await upstream.reply({ to, body, timeoutMs: WITHIN_MS, ...call });
}
