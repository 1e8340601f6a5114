/** Large text frames, which are bytes until somebody needs their text. */

import { textFrom } from "./bytes.ts";
import type { Body } from "./protocol.ts";

export class LargeText {
  /** UTF-8, as the socket has checked. */
  readonly bytes: Uint8Array;
  #text: string | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get text(): string {
    this.#text ??= textFrom(this.bytes);
    return this.#text;
  }
}

/** A frame as the socket has it. */
export type Received = Body | LargeText;

export function bodyOf(frame: Received): Body {
  return frame instanceof LargeText ? frame.text : frame;
}
