import type { Body } from "../../protocols/protocol.ts";

/**
 * Where bodies lie that come and go in the same order: as bytes, one behind the other, in blocks that are used again.
 * As strings, each would grow old on the heap before it goes, and several times as much would lie there as is kept.
 */

/** Where a body lies. */
export interface StoredBody {
  readonly block: Block;
  readonly start: number;
  /** In bytes. */
  readonly length: number;
}

interface Block {
  readonly bytes: Uint8Array;
  /** Whether it may hold other bodies, now and again. */
  readonly shared: boolean;
  used: number;
  /** How many bodies lie in it. */
  live: number;
}

const BLOCK_BYTES = 64 * 1024;
/** A larger body has a block for itself: what it left over of another would be too much. */
const SHARING_BYTES = 8 * 1024;
/** Blocks that are kept for the next bodies, though empty. */
const SPARE_MAX = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class BodyStore {
  /** None before the first body: most journals of quiet subscriptions hold nothing. */
  #current: Block | undefined;
  readonly #spare: Block[] = [];

  put(body: Body): StoredBody {
    // A character has at most three bytes.
    if (body.length > SHARING_BYTES) {
      // Not `slice`: a Buffer's would still be the sender's memory.
      return alone(typeof body === "string" ? encoder.encode(body) : new Uint8Array(body));
    }
    const most = typeof body === "string" ? body.length * 3 : body.length;
    const block = this.#blockFor(most);
    const start = block.used;
    if (typeof body === "string") block.used += encoder.encodeInto(body, block.bytes.subarray(start)).written;
    else {
      block.bytes.set(body, start);
      block.used += body.length;
    }
    block.live++;
    return { block, start, length: block.used - start };
  }

  text(place: StoredBody): string {
    return decoder.decode(bytesAt(place));
  }

  /** A copy: the block will hold other things. */
  bytes(place: StoredBody): Uint8Array {
    return bytesAt(place).slice();
  }

  /** Nobody asks for it any more. */
  drop({ block }: StoredBody): void {
    block.live--;
    if (block.live > 0 || !block.shared) return;
    block.used = 0;
    if (block !== this.#current && this.#spare.length < SPARE_MAX) this.#spare.push(block);
  }

  #blockFor(bytes: number): Block {
    if (!this.#current || this.#current.used + bytes > BLOCK_BYTES) this.#current = this.#spare.pop() ?? newBlock();
    return this.#current;
  }
}

function alone(bytes: Uint8Array): StoredBody {
  return { block: { bytes, shared: false, used: bytes.length, live: 1 }, start: 0, length: bytes.length };
}

function newBlock(): Block {
  return { bytes: new Uint8Array(BLOCK_BYTES), shared: true, used: 0, live: 0 };
}

function bytesAt({ block, start, length }: StoredBody): Uint8Array {
  return block.bytes.subarray(start, start + length);
}
