/** The body of an HTTP request while it arrives: bounded, counted in the budget, and held in one piece. */

import { noMemory } from "../../core/exchange/failures.ts";
import type { Budget } from "../../core/util/budget.ts";
import { refused, SidesocketError } from "../../errors.ts";

/** The least size of the piece that chunks are collected in. */
const PIECE_BYTES = 4 * 1024;
const NOTHING = new Uint8Array();

export function tooLarge(limitBytes: number) {
  return refused("payload_too_large", `the body exceeds limits.request_bytes (${limitBytes} bytes)`);
}

/**
 * Most bodies are one chunk, which is used as it is. The chunks of others are copied into one piece that grows: a list
 * of chunks of one byte each would cost three hundred times their bytes.
 */
export class CollectedBody {
  readonly #limitBytes: number;
  readonly #declared: number;
  readonly #expected: number;
  readonly #budget: Budget;
  #piece: Uint8Array = NOTHING;
  #size = 0;
  #taken = 0;

  /** @param expected the size of the whole body, if it is known */
  constructor(limitBytes: number, budget: Budget, expected = limitBytes) {
    this.#limitBytes = limitBytes;
    this.#declared = expected;
    this.#expected = Math.max(expected, PIECE_BYTES);
    this.#budget = budget;
  }

  /** @throws SidesocketError as soon as the body exceeds its limit, or there is no memory for it */
  add(chunk: Uint8Array): void {
    const size = this.#size + chunk.byteLength;
    if (size > this.#limitBytes) throw tooLarge(this.#limitBytes);
    if (this.#size === 0) {
      this.#take(chunk.byteLength, size);
      this.#piece = chunk;
    } else {
      if (size > this.#piece.byteLength) this.#grow(size);
      this.#piece.set(chunk, this.#size);
    }
    this.#size = size;
  }

  /** The bytes so far. */
  whole(): Uint8Array {
    return this.#size === this.#piece.byteLength ? this.#piece : this.#piece.subarray(0, this.#size);
  }

  /** True once there are as many bytes as were announced, or may be. */
  get isComplete(): boolean {
    return this.#size >= this.#declared;
  }

  /** Gives back what was taken. Call once the body is somebody else's, or nobody's. */
  leave(): void {
    this.#budget.give("bodies", this.#taken);
    this.#taken = 0;
    this.#piece = NOTHING;
    this.#size = 0;
  }

  #grow(size: number): void {
    const capacity = Math.max(size, Math.min(this.#expected, Math.max(PIECE_BYTES, 2 * size)));
    this.#take(capacity - this.#taken, size);
    const piece = new Uint8Array(capacity);
    piece.set(this.#piece.subarray(0, this.#size));
    this.#piece = piece;
  }

  /** @param size the size of the whole body so far */
  #take(bytes: number, size: number): void {
    const { limit } = this.#budget;
    if (!this.#budget.hasRoomFor("bodies", bytes, size)) throw new SidesocketError(noMemory(limit));
    this.#budget.take("bodies", bytes);
    this.#taken += bytes;
  }
}
