/** The place in shared memory through which small messages of a line cross, one at a time. */

/** Numbers that cross with a text. */
type Numbers = readonly [number, number, number, number];

export interface Slip {
  readonly numbers: Numbers;
  readonly text: string;
}

const NUMBERS = 4;
/** The word that tells what is there, and one that fills its place up to the numbers'. */
const WORDS_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT;
const TEXT_AT = WORDS_BYTES + NUMBERS * Float64Array.BYTES_PER_ELEMENT;
/** The size of a place: for most requests and replies. A line has two, and a sidecar up to 256 lines. */
export const PLACE_BYTES = 4_096;
const TEXT_MAX_BYTES = PLACE_BYTES - TEXT_AT;
/** The most bytes that UTF-8 has for a unit of a string. */
const UNIT_BYTES = 3;
/** Text that UTF-8 cannot tell, and the encoder would change. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const encoder = new TextEncoder();
/** A byte order mark is text like any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * One side writes, the other takes, and neither waits: what finds no place goes by the port, which takes several times
 * as long, most of all on Deno.
 */
export class SlipPlace {
  /** 0 if nothing is there, else one more than the bytes of the text. */
  readonly #filled: Int32Array;
  readonly #numbers: Float64Array;
  readonly #text: Uint8Array;

  /** @param at where its {@link PLACE_BYTES} begin: a multiple of 8 */
  constructor(memory: SharedArrayBuffer, at: number) {
    this.#filled = new Int32Array(memory, at, 1);
    this.#numbers = new Float64Array(memory, at + WORDS_BYTES, NUMBERS);
    this.#text = new Uint8Array(memory, at + TEXT_AT, TEXT_MAX_BYTES);
  }

  /** @returns false if the text is too long or no Unicode, or the last slip was not taken: nothing has changed then */
  put(numbers: Numbers, text: string): boolean {
    if (text.length * UNIT_BYTES > TEXT_MAX_BYTES || LONE_SURROGATE.test(text)) return false;
    if (Atomics.load(this.#filled, 0) !== 0) return false;
    this.#numbers.set(numbers);
    const { written } = encoder.encodeInto(text, this.#text);
    Atomics.store(this.#filled, 0, written + 1);
    return true;
  }

  /**
   * @param wanted the first of its numbers: another slip stays
   * @returns undefined if there is none
   */
  take(wanted?: number): Slip | undefined {
    const filled = Atomics.load(this.#filled, 0);
    if (filled === 0) return undefined;
    const [first = 0, second = 0, third = 0, fourth = 0] = this.#numbers;
    if (wanted !== undefined && first !== wanted) return undefined;
    // A copy, for Deno takes four times as long to decode memory that is shared.
    const text = decoder.decode(this.#text.slice(0, filled - 1));
    Atomics.store(this.#filled, 0, 0);
    return { numbers: [first, second, third, fourth], text };
  }

  /** Forgets what a side that is gone has not taken. */
  clear(): void {
    Atomics.store(this.#filled, 0, 0);
  }
}
