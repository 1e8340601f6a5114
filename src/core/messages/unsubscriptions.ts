/** Unsubscriptions: subscriptions that the upstream must end, and the removals that wait for that. */

import type { Failure } from "../../errors.ts";
import { type FrameText, frameText } from "../../protocols/condition.ts";
import { endMessage } from "../../protocols/subscription-request.ts";
import { ValueMissing } from "../connection/captured-texts.ts";
import type { Outcome } from "../outcome.ts";
import { reasonOf } from "./agreement.ts";
import { type Recipe, refusesToEnd } from "./subscription-recipe.ts";

export interface Unsubscription {
  readonly recipe: Recipe;
  /** The upstream's id, as JSON. */
  readonly id: string;
  /** The removal that waits for it, if any. */
  readonly removal: number | undefined;
}

/** The handling of secrets in subscriptions of the configuration. */
export interface SecretHandling {
  /** Resolves the placeholders of a message. @throws ValueMissing */
  fill(message: unknown): unknown;
  /** Quotes a frame for people. */
  show(frame: string): string;
}

interface UnsubscriptionOutlet {
  /** Sends the message and reports its outcome to `settled`. @returns the number under which it does */
  request(message: string): number;
  /** Sends the message without waiting for a reply. */
  send(message: string): void;
  /** The removal is over. Without a failure the upstream agreed, or there was nothing to end. */
  removed(removal: number, failure: Failure | undefined): void;
  /** True if the message would end a subscription that is active or being requested. */
  isShared(message: string): boolean;
}

export class Unsubscriptions {
  /** Those that were sent, by their number. */
  readonly #sent = new Map<number, Unsubscription>();
  /** Those that could not be sent for lack of room, with the time of the next attempt. */
  readonly #postponed = new Map<Unsubscription, number>();
  readonly #secrets: SecretHandling;
  readonly #outlet: UnsubscriptionOutlet;

  constructor(secrets: SecretHandling, outlet: UnsubscriptionOutlet) {
    this.#secrets = secrets;
    this.#outlet = outlet;
  }

  /** True if the upstream owes no answer to any. */
  get isIdle(): boolean {
    return this.#sent.size === 0;
  }

  /** The times at which `expire` must be called. */
  get attempts(): Iterable<number> {
    return this.#postponed.values();
  }

  /**
   * Unsubscribes, unless that would end another subscription as well: an upstream may treat two as one, or know them
   * only by their channel.
   */
  begin(unsubscription: Unsubscription): void {
    const message = this.messageFor(unsubscription.recipe, unsubscription.id);
    if (message === undefined && unsubscription.recipe.unsubscribe !== undefined) {
      const detail = "the message that ends it needs a value that is no longer known (capture)";
      this.report(unsubscription.removal, { code: "not_ready", sent: "no", detail });
    } else if (message === undefined || this.#outlet.isShared(message)) this.report(unsubscription.removal);
    else this.#sent.set(this.#outlet.request(message), unsubscription);
  }

  /** The message that ends the subscription; undefined if the recipe has none, or a value in it is missing. */
  messageFor({ unsubscribe }: Recipe, id: string): string | undefined {
    try {
      return unsubscribe === undefined ? undefined : endMessage(this.#secrets.fill(unsubscribe), id);
    } catch (error) {
      if (error instanceof ValueMissing) return undefined;
      throw error;
    }
  }

  report(removal: number | undefined, failure?: Failure): void {
    if (removal !== undefined) this.#outlet.removed(removal, failure);
  }

  /** The connection ended, and with it everything that was to be ended. */
  lost(): void {
    for (const { removal } of [...this.#sent.values(), ...this.#postponed.keys()]) this.report(removal);
    this.#sent.clear();
    this.#postponed.clear();
  }

  /**
   * The message of that number has its outcome.
   * @param retryFrom the shortest pause before another attempt, in milliseconds
   * @returns true if another attempt waits for its time
   */
  settled(number: number, outcome: Outcome, now: number, retryFrom: number): boolean {
    const unsubscription = this.#sent.get(number);
    if (!unsubscription) return false;
    this.#sent.delete(number);
    const { recipe, id, removal } = unsubscription;
    const message = this.messageFor(recipe, id);
    const failure = outcome.type === "failed" ? outcome.failure : undefined;
    if (failure?.retryAfterMs !== undefined) {
      // Nothing else would ever end the subscription.
      this.#postponed.set(unsubscription, now + Math.max(retryFrom, failure.retryAfterMs));
      return true;
    }
    if (failure?.code === "invalid_request" && message !== undefined) {
      // The protocol takes no request without the caller's id: what is sent so gets no reply.
      this.#outlet.send(message);
      this.report(removal, { code: "reply_timeout", sent: "maybe", detail: `nothing confirms it: ${failure.detail}` });
    } else {
      this.report(removal, failure ?? this.#disagreement(unsubscription, outcome));
    }
    return false;
  }

  /** Begins again what was postponed until now. */
  expire(now: number): void {
    for (const [unsubscription, retryAt] of [...this.#postponed]) {
      if (retryAt > now) continue;
      this.#postponed.delete(unsubscription);
      this.begin(unsubscription);
    }
  }

  /** Takes a message that may say that a subscription has ended. @returns true if it does */
  confirm(frame: FrameText): boolean {
    let isClaimed = false;
    for (const [number, { recipe, id, removal }] of this.#sent) {
      if (!recipe.ended?.(frame, id)) continue;
      this.#sent.delete(number);
      this.report(removal);
      isClaimed = true;
    }
    return isClaimed;
  }

  /** The reason why an outcome does not confirm the end of a subscription; undefined if it does. */
  #disagreement({ recipe, id }: Unsubscription, outcome: Outcome): Failure | undefined {
    if (outcome.type !== "reply")
      return { code: "reply_timeout", sent: "maybe", detail: "nothing confirms the end of the subscription" };
    const frame = frameText(outcome.body);
    const isRefusal = refusesToEnd(frame, recipe);
    if (!isRefusal && (frame.root || recipe.ended?.(frame, id))) return undefined;
    const why = () => `the reply is not JSON, so it needs a condition (ended): ${reasonOf(outcome.body)}`;
    const detail = isRefusal
      ? `the upstream did not agree to end it: ${shown(frame, recipe, this.#secrets)}`
      : `the upstream may not have ended it: ${why()}`;
    return { code: "invalid_reply", sent: "yes", detail };
  }
}

/** A frame as people may see it. */
export function shown(frame: FrameText, recipe: Recipe, secrets: SecretHandling): string {
  const text = recipe.detailIn(frame) ?? frame.text;
  return text === undefined ? "(bytes)" : secrets.show(text);
}
