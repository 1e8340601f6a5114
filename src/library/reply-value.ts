/** Outcomes as the library's callers receive them: a value, or an error. */

import { batchFailure, type Outcome, type Replied } from "../core/outcome.ts";
import { refused, SidesocketError } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";

/** @returns the reply of a request; the text of a JSON array for a batch; "" for a message that gets no reply */
export function replyValue(outcome: Outcome): Body {
  switch (outcome.type) {
    case "reply":
      return outcome.isText ? textOf(outcome) : outcome.body;
    case "done":
      return "";
    case "batch": {
      demandSent(outcome);
      return `[${outcome.items.map((item) => (item.type === "reply" ? textOf(item) : "")).join(",")}]`;
    }
    case "failed":
      throw new SidesocketError(outcome.failure);
  }
}

/** @throws SidesocketError if the message, or one of a batch, failed */
export function demandSent(outcome: Outcome): void {
  const failure = outcome.type === "batch" ? batchFailure(outcome) : "failure" in outcome && outcome.failure;
  if (failure) throw new SidesocketError(failure);
}

/** @throws SidesocketError `invalid_request` if a timer could not wait for so long */
export function validTimeout(timeoutMs: number, name = "timeoutMs"): number {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs < 2 ** 31) return timeoutMs;
  throw refused("invalid_request", `${name} must be from 1 to 2147483647`);
}

function textOf({ body }: Replied): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}
