/** The record of frames that answered nothing, for the diagnosis of requests that time out. */
import type { Heard } from "../../errors.ts";
import { textOf } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import { flat } from "../util/flat.ts";

/** The most characters of a frame that are shown. */
const SHOWN_CHARACTERS = 200;

/** Keeps only the last frame, whose text it makes only when a request has timed out. */
export class HeardFrames {
  /** Hides the secrets of the configuration in a text. */
  readonly #mask: (text: string) => string;
  #count = 0;
  #last: Body = "";
  #why: string | undefined;

  constructor(mask: (text: string) => string) {
    this.#mask = mask;
  }

  /** How many frames came so far. */
  get count(): number {
    return this.#count;
  }

  /** @param why the reason why the frame answers nothing, if that is remarkable */
  add(frame: Body, why?: string): void {
    this.#count++;
    this.#last = frame;
    this.#why = why;
  }

  /** The frames since the count was `before`; undefined if there are none. */
  since(before: number): Heard | undefined {
    if (this.#count <= before) return undefined;
    const why = this.#why;
    return { frames: this.#count - before, last: this.#lastText(), ...(why !== undefined && { why: this.#mask(why) }) };
  }

  #lastText(): string {
    const text = textOf(this.#last);
    return text === undefined ? `${this.#last.length} bytes that are not text` : this.shown(text);
  }

  /** A text of the upstream as people may see it: cut, without secrets and control characters. */
  shown(text: string): string {
    // Masked before it is cut, so that no secret is left in part; a longer text could take long to search.
    const masked = this.#mask(text.slice(0, 100 * SHOWN_CHARACTERS)).replace(/\p{C}/gu, "�");
    return flat(masked.length > SHOWN_CHARACTERS ? `${masked.slice(0, SHOWN_CHARACTERS)}…` : masked);
  }
}
