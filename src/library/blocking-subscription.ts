/** A subscription of a program that blocks, as an iterator of its messages. */

import type { UpstreamMessage } from "../sidecar/upstream-message.ts";
import type { UnsubscribeOptions } from "./message-subscription.ts";

/** The end of a subscription at the upstream. */
export interface BlockingRemoval {
  /** Removes it, and sleeps until the upstream has agreed. */
  remove(options?: UnsubscribeOptions): void;
  /** Removes it, and does not wait; does nothing for a subscription that was there already. */
  leave(): void;
}

/** Iterates over the messages of the subscription. To leave the iteration unsubscribes. */
export class BlockingSubscription implements IterableIterator<UpstreamMessage, void, undefined>, Disposable {
  /** Its name, by which `messagesSync` reads it and `unsubscribeSync` removes it. */
  readonly name: string;
  readonly #messages: Generator<UpstreamMessage, void>;
  readonly #removal: BlockingRemoval;
  #left = false;

  constructor(name: string, messages: Generator<UpstreamMessage, void>, removal: BlockingRemoval) {
    this.name = name;
    this.#messages = messages;
    this.#removal = removal;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** Sleeps until the next message is there. An iteration that ends by itself unsubscribes, too. */
  next(): IteratorResult<UpstreamMessage, void> {
    const result = this.#messages.next();
    return result.done ? this.return() : result;
  }

  /** Leaves the iteration, and unsubscribes without waiting for the upstream's consent. */
  return(): IteratorResult<UpstreamMessage, void> {
    this.#messages.return();
    if (!this.#left) this.#removal.leave();
    this.#left = true;
    return { done: true, value: undefined };
  }

  /**
   * Ends the subscription and its iteration. Returns when the upstream has agreed, or there was nothing to tell it.
   * @throws SidesocketError if it did not: the subscription is removed all the same
   */
  unsubscribeSync(options?: UnsubscribeOptions): void {
    this.#left = true;
    this.#messages.return();
    this.#removal.remove(options);
  }

  [Symbol.dispose](): void {
    this.return();
  }
}
