/** The time without a connection, from which a journal's gaps come. */

/** The gap of an absence, by the wall clock in milliseconds. */
interface AwayGap {
  readonly dropped: null;
  readonly reason: "away";
  readonly from: number;
  readonly to: number;
  readonly why: string;
  /** Set if the upstream can resume: true if it has sent what was missed. */
  readonly filled?: boolean;
}

/** Times are arguments. */
export class Absence {
  /** Start and reason of the time without a connection; undefined while connected, and before the first connection. */
  #away: { readonly from: number; readonly why: string } | undefined;
  #wasConnected = false;
  #isResuming = false;

  /** True while a connection brings what was missed, and may yet fail to. */
  get isResuming(): boolean {
    return this.#isResuming;
  }

  /** The connection is gone: messages that the upstream sends from now on are missed. */
  begin(at: number, why: string): void {
    this.#isResuming = false;
    if (this.#wasConnected) this.#away ??= { from: at, why };
  }

  /** Begins at a time before this replica's first connection: another one was connected. */
  assume(at: number, why: string): void {
    if (this.#wasConnected) return;
    this.#wasConnected = true;
    this.#away = { from: at, why };
  }

  /** While `on`, messages are those of the time away. The gap comes behind them, and says how that ended. */
  resume(on: boolean): void {
    this.#isResuming = on && this.#away !== undefined;
  }

  /** Messages can arrive (again). @returns the gap of the time away, if there was one */
  end(at: number, filled?: boolean): AwayGap | undefined {
    this.#wasConnected = true;
    this.#isResuming = false;
    if (this.#away === undefined) return undefined;
    const { from, why } = this.#away;
    this.#away = undefined;
    return { dropped: null, reason: "away", from, to: at, why, ...(filled !== undefined && { filled }) };
  }

  /** @returns the gap so far; the next one begins. Readers should not have to wait until the connection is back. */
  split(at: number, why: string): AwayGap | undefined {
    if (this.#away === undefined) return undefined;
    this.#away = { ...this.#away, why };
    const gap = this.end(at);
    this.#away = { from: at, why };
    return gap;
  }
}
