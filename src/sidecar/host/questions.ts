/** Questions to the thread that wait for their replies, by their numbers. */

export class Questions<Reply> {
  readonly #pending = new Map<number, (reply: Reply) => void>();

  /** @returns the reply that `receive` is given, or undefined if that takes longer than `withinMs` */
  add(seq: number, withinMs: number): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pending.delete(seq);
        resolve(undefined);
      }, withinMs);
      this.#pending.set(seq, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
    });
  }

  receive(seq: number, reply: Reply): void {
    this.#pending.get(seq)?.(reply);
    this.#pending.delete(seq);
  }
}
