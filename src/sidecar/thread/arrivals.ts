/** The frames that a connection has received, in their order: a large one is handled in turns, and others wait. */

import { takeUrgentTurn } from "../turns.ts";
import type { Work } from "./mark.ts";

/** Handles a frame, and yields where other work may go on. */
export type Handling = Generator<undefined, void>;

interface ArrivalsEnvironment {
  readonly work: Work;
  /** Stops reading from the socket, so that no more than was read already can wait. */
  hold(): void;
  /** Goes on reading. */
  release(): void;
  takeTurn?(work: () => void): void;
}

export class Arrivals {
  readonly #env: ArrivalsEnvironment;
  /** The first one is being handled. */
  readonly #waiting: Handling[] = [];
  #onEmpty: (() => void) | undefined;

  constructor(env: ArrivalsEnvironment) {
    this.#env = env;
  }

  /** True if no frame is being handled, and none waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Handles a frame after those that came before it: at once if there are none. */
  add(handling: Handling): void {
    const isFirst = this.isEmpty;
    if (isFirst && handling.next().done) return;
    this.#waiting.push(handling);
    if (!isFirst) return;
    this.#env.hold();
    this.#later();
  }

  /** Calls `then` after every frame that has arrived was handled: at once if none waits. */
  end(then: () => void): void {
    if (this.isEmpty) then();
    else this.#onEmpty = then;
  }

  /** Drops the frames that wait, for nobody is interested in them any more. */
  discard(): void {
    this.#waiting.length = 0;
    this.#emptied();
  }

  #later(): void {
    (this.#env.takeTurn ?? takeUrgentTurn)(() => this.#env.work(() => this.#turn(), undefined));
  }

  #turn(): void {
    if (this.isEmpty) return;
    while (this.#waiting[0]?.next().done) this.#waiting.shift();
    if (this.isEmpty) this.#emptied();
    else this.#later();
  }

  #emptied(): void {
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    if (onEmpty) onEmpty();
    else this.#env.release();
  }
}
