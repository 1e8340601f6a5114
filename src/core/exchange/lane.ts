/** How long a reply that is still owed may keep the lane closed, in milliseconds, before the connection is given up. */
export const TOMBSTONE_MS = 5_000;

/**
 * The tombstones of a protocol without ids. A request that ended without its reply leaves one: the next frame belongs to
 * the dead, and until it has come no other request is sent. So replies never shift by one. A message that was sent without waiting for a reply may be answered all the same;
 * it leaves a tombstone too, which only holds back requests, and is forgotten when nothing comes.
 */
export class Lane {
  #owed = false;
  #unasked = 0;
  #until: number | undefined;

  /** The moment when {@link expire} must be called; undefined when nothing is buried. */
  get until(): number | undefined {
    return this.#until;
  }

  /** Whether a reply is still to come of a request that has ended. */
  get owed(): boolean {
    return this.#owed;
  }

  /** Whether a message may be written now. */
  takes(expectsReply: boolean): boolean {
    return !this.#owed && (!expectsReply || this.#unasked === 0);
  }

  /** @returns the new {@link until}. `owed` is false for a message that was sent without waiting for a reply. */
  bury(now: number, owed: boolean): number {
    if (owed) this.#owed = true;
    else this.#unasked++;
    this.#until = now + TOMBSTONE_MS;
    return this.#until;
  }

  /** A frame came that no request waits for. True when it is the late reply of one that had ended. */
  hear(): boolean {
    const late = this.#owed;
    if (late) this.#owed = false;
    else if (this.#unasked > 0) this.#unasked--;
    if (!this.#owed && this.#unasked === 0) this.#until = undefined;
    return late;
  }

  /** The connection that owed something is gone. */
  clear(): void {
    this.#owed = false;
    this.#unasked = 0;
    this.#until = undefined;
  }

  /** The time is over. True when a reply is still owed, so that only a new connection is safe. */
  expire(): boolean {
    const owed = this.#owed;
    if (!owed) this.clear();
    return owed;
  }
}
