/** The hold that the threads of a sidecar have on their program: it does not end while they run, unless it may. */

import { runtime } from "../runtime/pick-runtime.ts";
import type { Thread } from "../runtime/runtime.ts";

export class ThreadHold {
  readonly #file: URL;
  readonly #threads = new Set<Thread>();
  /** Called when nothing else holds the program; undefined while the threads do. */
  #onIdle: (() => void) | undefined;

  /** @param file the file that each thread begins with */
  constructor(file: URL) {
    this.#file = file;
  }

  /** Starts a thread, which holds the program if the others do. */
  readonly start = (): Thread => {
    const thread = runtime.startThread(this.#file);
    this.#threads.add(thread);
    void thread.ended.then(() => this.#threads.delete(thread));
    // Its port is listened to in this turn, by the one who starts it: that holds the program again.
    queueMicrotask(() => {
      if (this.#onIdle) thread.unref();
    });
    return thread;
  };

  /** @param onIdle called when nothing else holds the program */
  release(onIdle: () => void): void {
    this.hold();
    this.#onIdle = onIdle;
    process.once("beforeExit", onIdle);
    for (const thread of this.#threads) thread.unref();
  }

  hold(): void {
    if (!this.#onIdle) return;
    process.off("beforeExit", this.#onIdle);
    this.#onIdle = undefined;
    for (const thread of this.#threads) thread.ref();
  }
}
