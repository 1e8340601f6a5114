/** The agreement of an upstream to a subscription, from the frames that confirm or refuse its request. */

import type { Failure } from "../../errors.ts";
import type { FrameText } from "../../protocols/condition.ts";
import { readFrame } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import { idIn, NO_ID, needsIdToEnd, type Recipe, USABLE_ID } from "./subscription-recipe.ts";

/** A request for a subscription that has been made, and what has come of it. */
export interface Asking {
  readonly phase: "asking";
  readonly number: number;
  /** The indexes of the confirmations that have come. */
  readonly confirmed: Set<number>;
  /** The upstream's id, as JSON, once a confirmation had it. */
  id: string | undefined;
  refusals: number;
  /** The beginning of the first frame that refused. */
  refusal: string | undefined;
  /** The beginning of the last frame that confirmed. */
  confirmation: string;
}

export interface Agreement {
  /** The upstream's id, as JSON; `null` if the recipe has none. */
  readonly id: string;
  /** The part that was refused, if any. */
  readonly partly: Failure | undefined;
}

export function newAsking(number: number): Asking {
  return {
    phase: "asking",
    number,
    confirmed: new Set(),
    id: undefined,
    refusals: 0,
    refusal: undefined,
    confirmation: "",
  };
}

/**
 * Takes a frame that may confirm or refuse a request. What a common refusal looks like counts only in a reply, since a
 * message may be about anything; and not if `agreed` takes it. A frame that is not JSON needs a condition.
 * @param show quotes the frame for people
 * @returns true if it does
 */
export function consider(
  { agreed, refused, isRefusal, idPlace }: Recipe,
  asking: Asking,
  frame: FrameText,
  isReply: boolean,
  show: (frame: FrameText) => string,
): boolean {
  const isPlainReply = isReply && frame.root !== undefined;
  const index = agreed
    ? agreed.findIndex((test, at) => !asking.confirmed.has(at) && test(frame))
    : isPlainReply
      ? 0
      : -1;
  const isCommon = isReply && (agreed === undefined || index < 0) && isRefusal(frame);
  if (refused?.(frame) || isCommon) {
    asking.refusals++;
    asking.refusal ??= show(frame);
    return true;
  }
  if (index < 0) return false;
  asking.confirmed.add(index);
  asking.confirmation = show(frame);
  if (idPlace) asking.id ??= idIn(frame, idPlace);
  return true;
}

/** True if as many frames have confirmed or refused as the recipe waits for. */
export function decided({ agreed }: Recipe, { confirmed, refusals }: Asking): boolean {
  return confirmed.size + refusals >= (agreed?.length ?? 1);
}

export function agreementIn(recipe: Recipe, { confirmed, id, refusal, confirmation }: Asking): Agreement | Failure {
  if (confirmed.size === 0) return refusedAs(refusal, "it");
  if (recipe.idPlace && id === undefined)
    return unreadable(recipe, `the reply has no usable id (${USABLE_ID}) at ${recipe.idPlace.at}: ${confirmation}`);
  return { id: id ?? NO_ID, partly: refusal === undefined ? undefined : refusedAs(refusal, "a part of it") };
}

function refusedAs(refusal: string | undefined, what: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: `the upstream refused ${what}: ${refusal}` };
}

/** The failure of an agreement that cannot be read. A subscription that cannot be named cannot be ended either. */
export function unreadable(recipe: Recipe, why: string): Failure {
  const isLeft = recipe.unsubscribe === undefined || needsIdToEnd(recipe);
  const detail = isLeft ? `${why}; if the upstream agreed, it sends until the connection ends` : why;
  return { code: "invalid_reply", sent: "yes", detail };
}

/** The failure of a request whose time is up: what has come by then says more. */
export function overdue({ confirmed, refusal }: Asking, failure: Failure): Failure {
  if (refusal !== undefined) return refusedAs(refusal, "it, or a part of it");
  if (confirmed.size === 0) return failure;
  return { ...failure, sent: "yes", detail: `only ${confirmed.size} of the confirmations came in time` };
}

/** The reason why a frame is not JSON. */
export function reasonOf(frame: Body): string {
  const json = readFrame(frame);
  return "why" in json ? json.why : "it is";
}
