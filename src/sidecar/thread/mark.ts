/** The mark by which the host knows, even after the thread's death, for which upstream the thread was working. */

import { UpstreamNumbers } from "../upstream-numbers.ts";

/** No upstream. */
const NONE = 0;

/**
 * A word of memory that both sides share: a thread that hangs, overflows its heap or exits can report nothing. Only
 * work that is known to be for one upstream is marked, so that nothing is blamed on another.
 */
export class Mark {
  readonly #word: Int32Array;
  readonly #numbers = new UpstreamNumbers();

  constructor(word: Int32Array) {
    this.#word = word;
  }

  /** The upstream that is worked for; undefined for none. */
  get current(): string | undefined {
    return this.#numbers.nameOf(this.#word[0] ?? NONE);
  }

  /** Adds an upstream, under the next number. @returns a function that does work for it */
  add(name: string): Work {
    const number = this.#numbers.add(name);
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

  /** Forgets an upstream that has left: some come and go all the time. */
  remove(name: string): void {
    this.#numbers.remove(name);
  }
}

/** Does some work under an upstream's mark. The argument comes apart, so that no frame needs a closure of its own. */
export type Work = <Argument, Result>(work: (argument: Argument) => Result, argument: Argument) => Result;
