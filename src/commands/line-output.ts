/** Lines on standard output, at the pace of their reader. */

import type { Runtime } from "../runtime/runtime.ts";

/** The time that a stalled reader has for the last line once the command ends, in milliseconds. */
const LAST_LINE_WITHIN_MS = 250;

/** Nobody reads the output any more, or not in time. */
export class Unread extends Error {}

export class LineOutput {
  readonly #write: Runtime["write"];
  readonly #encoder = new TextEncoder();
  /** Gives up the write that is under way. */
  #giveUp: (() => void) | undefined;
  #isEnding = false;
  #isUnread = false;

  constructor({ write }: Runtime) {
    this.#write = write;
  }

  /** True once a line was not taken. */
  get isUnread(): boolean {
    return this.#isUnread;
  }

  /** Resolves when the line was taken. @throws Unread */
  async line(text: string): Promise<void> {
    if (this.#isEnding) throw new Unread();
    await new Promise<void>((resolve, reject) => {
      this.#giveUp = () => {
        this.#isUnread = true;
        reject(new Unread());
      };
      this.#write("stdout", this.#encoder.encode(`${text}\n`)).then(resolve, this.#giveUp);
    });
  }

  /** Takes no more lines; one that is under way has a last moment. */
  end(): void {
    this.#isEnding = true;
    setTimeout(() => this.#giveUp?.(), LAST_LINE_WITHIN_MS);
  }
}
