/** Ids that cannot be guessed, and that only their owner can use. */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * Each half of an id. The first half is random; the second authenticates it and its owner, so that an id of ours is
 * recognized even after what it named was forgotten.
 */
const HALF_BYTES = 16;

export class OwnedIds {
  readonly #secret = randomBytes(32);

  next(owner: string): string {
    const random = randomBytes(HALF_BYTES);
    return Buffer.concat([random, this.#tag(random, owner)]).toString("base64url");
  }

  /** True for an id that was made here for this owner. */
  isOf(owner: string, id: string): boolean {
    const bytes = Buffer.from(id, "base64url");
    if (bytes.length !== 2 * HALF_BYTES || bytes.toString("base64url") !== id) return false;
    return timingSafeEqual(bytes.subarray(HALF_BYTES), this.#tag(bytes.subarray(0, HALF_BYTES), owner));
  }

  #tag(random: Uint8Array, owner: string): Buffer {
    return createHmac("sha256", this.#secret).update(random).update(owner).digest().subarray(0, HALF_BYTES);
  }
}
