/** A subscription of a program, as an iterator of its messages. */

import type { UpstreamMessage } from "../sidecar/upstream-message.ts";

export interface UnsubscribeOptions {
  /** Time to wait for the upstream's consent, in milliseconds: by default 5,000. */
  readonly timeoutMs?: number;
}

/** The upstream's side of one subscription. */
export interface SubscriptionPort {
  /** Subscribes; resolves when the upstream has agreed. @returns false if the same subscription was there already */
  open(): Promise<boolean>;
  read(signal: AbortSignal): AsyncGenerator<UpstreamMessage, void>;
  remove(options?: UnsubscribeOptions): Promise<void>;
}

/** Iterates over the messages of the subscription. To leave the iteration unsubscribes. */
export class MessageSubscription implements AsyncIterableIterator<UpstreamMessage, void, undefined>, AsyncDisposable {
  /** Its name, by which `messages` reads it and `unsubscribe` removes it. */
  readonly name: string;
  /** Resolves when the upstream has agreed; rejects with a SidesocketError if it does not in time. */
  readonly agreed: Promise<void>;
  readonly #port: SubscriptionPort;
  readonly #messages: AsyncGenerator<UpstreamMessage, void>;
  readonly #left = new AbortController();
  #mine = true;

  constructor(name: string, port: SubscriptionPort) {
    this.name = name;
    this.#port = port;
    this.agreed = port.open().then((created) => {
      this.#mine &&= created;
    });
    // Reported by the iteration, too: no one need look at both.
    this.agreed.catch(() => {});
    this.#messages = this.#read();
  }

  async *#read(): AsyncGenerator<UpstreamMessage, void> {
    await this.agreed;
    yield* this.#port.read(this.#left.signal);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<UpstreamMessage, void>> {
    return this.#messages.next();
  }

  /** Leaves the iteration, and unsubscribes without waiting for the upstream's consent. */
  async return(): Promise<IteratorResult<UpstreamMessage, void>> {
    this.#leave();
    this.#left.abort();
    await this.#messages.return();
    return { done: true, value: undefined };
  }

  /**
   * Ends the subscription and its iteration. Resolves when the upstream has agreed, or there was nothing to tell it.
   * @throws SidesocketError if it did not: the subscription is removed all the same
   */
  async unsubscribe(options?: UnsubscribeOptions): Promise<void> {
    this.#mine = false;
    await this.agreed;
    await this.#port.remove(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** A subscription that was there already is left to those who have made it. */
  #leave(): void {
    const remove = async () => {
      await this.agreed;
      if (!this.#mine) return;
      this.#mine = false;
      await this.#port.remove();
    };
    remove().catch(() => {});
  }
}
