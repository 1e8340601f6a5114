/** The options of calls, checked: their names, and the times that they give. */

import { DEFAULT_TIMEOUT_MS, UNSUBSCRIBE_TIMEOUT_MS } from "../core/outcome.ts";
import type { ReadSelection } from "../sidecar/upstream-message.ts";
import type { MessagesOptions, RequestOptions, SendOptions } from "./async-upstream.ts";
import type { UnsubscribeOptions } from "./message-subscription.ts";
import { demandKnown } from "./option-names.ts";
import { validTimeout } from "./reply-value.ts";

interface Timed {
  readonly timeoutMs?: number;
}

/** @throws SidesocketError `invalid_request` for an option that nobody knows, or a time that cannot be waited */
export const callOptions = {
  request(options: RequestOptions) {
    demandKnown(options, { timeoutMs: true, signal: true }, "a request");
    return { timeoutMs: timeoutOf(options), signal: options.signal };
  },

  send(options: SendOptions) {
    demandKnown(options, { timeoutMs: true, signal: true, confirm: true }, "send");
    return { timeoutMs: timeoutOf(options), signal: options.signal, confirm: options.confirm ?? false };
  },

  messages(options: MessagesOptions) {
    demandKnown(options, { after: true, where: true, has: true, subscription: true, signal: true }, "messages");
    return options;
  },

  subscribe(options: RequestOptions & ReadSelection) {
    demandKnown(options, { timeoutMs: true, signal: true, after: true, where: true, has: true }, "subscribe");
    return { timeoutMs: timeoutOf(options), signal: options.signal };
  },

  unsubscribe(options: UnsubscribeOptions) {
    demandKnown(options, { timeoutMs: true }, "unsubscribe");
    return { timeoutMs: timeoutOf(options, UNSUBSCRIBE_TIMEOUT_MS) };
  },

  /** The part of the options that selects messages. */
  selection({ after, where, has }: ReadSelection): ReadSelection {
    return { after, where, has };
  },
};

/** @throws SidesocketError `invalid_request` if a timer could not wait for so long */
export function timeoutOf({ timeoutMs }: Timed, otherwiseMs = DEFAULT_TIMEOUT_MS): number {
  return validTimeout(timeoutMs ?? otherwiseMs);
}
