/** The numbers by which a thread's mark names its upstreams: both sides count them alike. */

/** A number is never used twice, so that the mark of an upstream that has left is not taken for another's. */
export class UpstreamNumbers {
  readonly #names = new Map<number, string>();
  readonly #numbers = new Map<string, number>();
  #last = 0;

  /** Gives the next number, from 1 on. */
  add(name: string): number {
    this.remove(name);
    this.#names.set(++this.#last, name);
    this.#numbers.set(name, this.#last);
    return this.#last;
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
