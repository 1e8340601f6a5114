/** The mark by which the host knows, even after the thread's death, for which upstream the thread was working. */

/** No upstream. */
const NONE = 0;

/**
 * A word of memory that both sides share: a thread that hangs, overflows its heap or exits can report nothing. Only
 * work that is known to be for one upstream is marked, so that nothing is blamed on another.
 */
export class Mark {
  readonly #word: Int32Array;
  readonly #names: string[] = [];

  constructor(word: Int32Array) {
    this.#word = word;
  }

  /** The upstream that is worked for; undefined for none. */
  get current(): string | undefined {
    return this.#names[(this.#word[0] ?? NONE) - 1];
  }

  /** Adds an upstream, under the next number. @returns a function that does work for it */
  add(name: string): Work {
    const number = this.#names.push(name);
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
