/** The numbers of a thread's upstreams, by which its mark and the messages that are frequent name them. */

/** Both sides have the same: the host gives the numbers, and tells them with `open`. */
export class UpstreamNumbers {
  readonly #names = new Map<number, string>();
  readonly #numbers = new Map<string, number>();
  #last = 0;

  /** Gives the next number, from 1 on, and none twice: an upstream that has left is not taken for another. */
  add(name: string): number {
    this.set(name, ++this.#last);
    return this.#last;
  }

  /** Notes the number that the host has given. */
  set(name: string, number: number): void {
    this.remove(name);
    this.#names.set(number, name);
    this.#numbers.set(name, number);
  }

  /** @returns undefined for an upstream that has none, or has left */
  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** @returns undefined for a number that none has, or has any more */
  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }

  remove(name: string): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    this.#numbers.delete(name);
    this.#names.delete(number);
  }
}
