/** The times of a lease, and its age by two clocks. */

/** An instant by both clocks, in milliseconds. They start anywhere, and only differences mean something. */
export interface Instant {
  /** Never goes back, but stands still while a machine is suspended. */
  readonly ms: number;
  /** May jump, but goes on while a machine is suspended. */
  readonly wallMs: number;
}

/** All in milliseconds. */
export interface LeaseTimes {
  /** A member that has not been heard for this long is replaced. */
  readonly lease: number;
  /** Time from one beat to the next. */
  readonly beat: number;
  /** Writing ends this long before the lease does: the event loop may stop between the check and the system call. */
  readonly margin: number;
  /** Contact that is older says nothing: two beats and a half. */
  readonly fresh: number;
  /**
   * Contact that is older is not enough to replace somebody. It is less than `margin`: a beat that we have not heard
   * was delivered behind our own newest, so that its sender's fence had fallen by then.
   */
  readonly sure: number;
}

export function leaseTimes(lease: number): LeaseTimes {
  const beat = lease / 6;
  return { lease, beat, margin: lease / 3, fresh: 2.5 * beat, sure: 1.5 * beat };
}

/** By the clock that went further, so that neither a jump nor a suspended machine makes a lease longer. */
export function ageOf(since: Instant, now: Instant): number {
  return Math.max(now.ms - since.ms, now.wallMs - since.wallMs);
}

export function newer(a: Instant, b: Instant): Instant {
  return a.ms >= b.ms ? a : b;
}
