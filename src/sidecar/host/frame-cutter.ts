/** Cuts a body into frames of one size as it arrives, and holds one of them at a time. */

import { noMemory } from "../../core/exchange/failures.ts";
import type { Budget } from "../../core/util/budget.ts";
import { SidesocketError } from "../../errors.ts";

/** A body whose chunks come one by one. */
interface Chunks {
  /** Undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
}

/**
 * Yields each frame once it is whole, and the last one, which may be shorter, at the end of the body. A frame is valid
 * until the next one is asked for: all have the same bytes.
 * @throws SidesocketError if there is no memory for a frame, and what reading throws
 */
export async function* cutFrames(body: Chunks, size: number, budget: Budget) {
  if (!budget.hasRoomFor("bodies", size, size)) throw new SidesocketError(noMemory(budget.limit));
  budget.take("bodies", size);
  try {
    const frame = new Uint8Array(size);
    let filled = 0;
    for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next()) {
      for (let at = 0; at < chunk.length; ) {
        const taken = chunk.subarray(at, at + size - filled);
        frame.set(taken, filled);
        filled += taken.length;
        at += taken.length;
        if (filled < size) continue;
        yield frame;
        filled = 0;
      }
    }
    if (filled > 0) yield frame.subarray(0, filled);
  } finally {
    budget.give("bodies", size);
  }
}
