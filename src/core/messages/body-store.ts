/** A store for bodies that come and go in the same order: as bytes, back to back, in reusable blocks. */
import type { Body } from "../../protocols/protocol.ts";
import { Budget } from "../util/budget.ts";

/** The location of a body. */
export interface StoredBody {
  readonly block: Block;
  readonly start: number;
  /** In bytes. */
  readonly length: number;
}

interface Block {
  readonly bytes: Uint8Array;
  /** True if it may hold several bodies and is reused. */
  readonly shared: boolean;
  used: number;
  /** Number of bodies in the block. */
  bodies: number;
}

const BLOCK_BYTES = 64 * 1024;
/** A larger body gets its own block, because it could leave too much of a shared one unused. */
export const SHARED_MAX_BYTES = 8 * 1024;
/** Maximum number of empty blocks kept for reuse. */
const SPARE_MAX = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * As strings, bodies would be promoted to V8's old generation before their release, and the heap would hold several
 * times what is kept.
 */
export class BodyStore {
  /** Allocated with the first body: most journals of quiet subscriptions stay empty. */
  #current: Block | undefined;
  readonly #spare: Block[] = [];
  readonly #budget: Budget;

  constructor(budget = Budget.alone()) {
    this.#budget = budget;
  }

  put(body: Body): StoredBody {
    const stored = this.#put(body);
    this.#budget.take("journals", stored.length);
    return stored;
  }

  /** Keeps a large body that another store keeps, too: its bytes are there once. Each of the stores releases it. */
  share(stored: StoredBody): StoredBody {
    stored.block.bodies++;
    return stored;
  }

  #put(body: Body): StoredBody {
    if (body.length > SHARED_MAX_BYTES) {
      // Not `slice`: on a Buffer it would share the sender's memory.
      return inOwnBlock(typeof body === "string" ? encoder.encode(body) : new Uint8Array(body));
    }
    // A UTF-16 unit takes at most three bytes.
    const maxBytes = typeof body === "string" ? body.length * 3 : body.length;
    const block = this.#blockFor(maxBytes);
    const start = block.used;
    if (typeof body === "string") block.used += encoder.encodeInto(body, block.bytes.subarray(start)).written;
    else {
      block.bytes.set(body, start);
      block.used += body.length;
    }
    block.bodies++;
    return { block, start, length: block.used - start };
  }

  text(stored: StoredBody): string {
    return decoder.decode(bytesAt(stored));
  }

  /** Returns a copy, because the block will be reused. */
  bytes(stored: StoredBody): Uint8Array {
    return bytesAt(stored).slice();
  }

  /** Frees the body; it must not be read again. */
  release({ block, length }: StoredBody): void {
    block.bodies--;
    if (block.shared || block.bodies === 0) this.#budget.give("journals", length);
    if (block.bodies > 0 || !block.shared) return;
    block.used = 0;
    if (block !== this.#current && this.#spare.length < SPARE_MAX) this.#spare.push(block);
  }

  #blockFor(bytes: number): Block {
    if (!this.#current || this.#current.used + bytes > BLOCK_BYTES) this.#current = this.#spare.pop() ?? newBlock();
    return this.#current;
  }
}

function inOwnBlock(bytes: Uint8Array): StoredBody {
  return { block: { bytes, shared: false, used: bytes.length, bodies: 1 }, start: 0, length: bytes.length };
}

function newBlock(): Block {
  return { bytes: new Uint8Array(BLOCK_BYTES), shared: true, used: 0, bodies: 0 };
}

function bytesAt({ block, start, length }: StoredBody): Uint8Array {
  return block.bytes.subarray(start, start + length);
}
