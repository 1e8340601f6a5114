/** Trace of an upstream's frames, for the log: cut, without secrets, and bounded. */

import { textOf } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import { excerptOf } from "../../secrets/secrets.ts";
import type { TracedFrame } from "../contract.ts";

/** The most characters that are shown of a frame, and the most frames in a second. */
const CHARACTERS_MAX = 1_000;
const FRAMES_PER_SECOND = 500;
const SECOND_MS = 1_000;

export class FrameTrace {
  readonly #post: (frame: TracedFrame) => void;
  #since = Number.NEGATIVE_INFINITY;
  #frames = 0;

  constructor(post: (frame: TracedFrame) => void) {
    this.#post = post;
  }

  /** @param now milliseconds of a monotonic clock */
  add(direction: TracedFrame["direction"], connection: number, frame: Body, secrets: readonly string[], now: number) {
    if (now - this.#since >= SECOND_MS) {
      this.#since = now;
      this.#frames = 0;
    }
    this.#frames++;
    if (this.#frames > FRAMES_PER_SECOND + 1) return;
    const isLast = this.#frames > FRAMES_PER_SECOND;
    const text = isLast ? "more than 500 in this second: the rest is not shown" : this.#shown(frame, secrets);
    this.#post({ direction, connection, text });
  }

  #shown(frame: Body, secrets: readonly string[]): string {
    const text = typeof frame === "string" ? frame : textOf(frame);
    if (text === undefined) return `(${frame.length} bytes)`;
    return excerptOf(text, secrets, CHARACTERS_MAX);
  }
}
