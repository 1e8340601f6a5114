/** Rate of log lines: for each kind so many in a second, and the number of the rest. */

/** The lines of a kind that are let through in a second. */
const LINES_PER_SECOND = 10;
const SECOND_MS = 1_000;

export class LineRate {
  #since = Number.NEGATIVE_INFINITY;
  /** The lines of the present second by kind, also those that were not let through. */
  #lines = new Map<string, number>();

  /** True if a line of this kind may be written now; otherwise it is counted. @param now milliseconds */
  takes(kind: string, now: number): boolean {
    if (now - this.#since >= SECOND_MS && this.held === 0) {
      this.#since = now;
      this.#lines = new Map();
    }
    const lines = (this.#lines.get(kind) ?? 0) + 1;
    this.#lines.set(kind, lines);
    return lines <= LINES_PER_SECOND;
  }

  /** The number of lines that are counted and not flushed. */
  get held(): number {
    return Object.values(this.#heldByKind()).reduce((total, held) => total + held, 0);
  }

  /** Milliseconds until the end of the present second, when `flush` is due if anything was counted. */
  dueInMs(now: number): number {
    return Math.max(0, this.#since + SECOND_MS - now);
  }

  /** The numbers of lines that were counted, by kind. Lines are let through again from then on. */
  flush(): Readonly<Record<string, number>> {
    const held = this.#heldByKind();
    this.#lines = new Map();
    return held;
  }

  #heldByKind(): Record<string, number> {
    const held = [...this.#lines].filter(([, lines]) => lines > LINES_PER_SECOND);
    return Object.fromEntries(held.map(([kind, lines]) => [kind, lines - LINES_PER_SECOND]));
  }
}
