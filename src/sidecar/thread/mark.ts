/** The mark by which the host knows, even after the thread's death, for which upstream the thread was working. */

import type { UpstreamNumbers } from "../upstream-numbers.ts";

/** No upstream. */
const NONE = 0;

/**
 * A word of memory that both sides share: a thread that hangs, overflows its heap or exits can report nothing. Only
 * work that is known to be for one upstream is marked, so that nothing is blamed on another.
 */
export class Mark {
  readonly #word: Int32Array;
  readonly #numbers: UpstreamNumbers;

  constructor(word: Int32Array, numbers: UpstreamNumbers) {
    this.#word = word;
    this.#numbers = numbers;
  }

  /** The upstream that is worked for; undefined for none. */
  get current(): string | undefined {
    return this.#numbers.nameOf(this.#word[0] ?? NONE);
  }

  /** @returns a function that does work for the upstream with this number */
  workOf(number: number): Work {
    const word = this.#word;
    return (work, argument) => {
      const before = word[0] ?? NONE;
      word[0] = number;
      const result = work(argument);
      // An exception leaves the mark, for it is about to end the thread.
      word[0] = before;
      return result;
    };
  }
}

/** Does some work under an upstream's mark. The argument comes apart, so that no frame needs a closure of its own. */
export type Work = <Argument, Result>(work: (argument: Argument) => Result, argument: Argument) => Result;
