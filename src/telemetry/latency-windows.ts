/** Durations of the last minutes, in windows of ten seconds, of which percentiles can be told. */

/** The length of a window in milliseconds. */
export const WINDOW_MS = 10_000;
/** The number of windows that are kept: five minutes of them. */
export const WINDOWS = 30;

/** The upper edge of the first bucket in milliseconds; each next one is 2^(1/4) times as high: 19 % apart. */
const FIRST_MS = 0.05;
const BUCKETS_PER_DOUBLING = 4;
/** Enough for more than two minutes, the longest that a caller may wait. */
const BUCKETS = 90;

/** The replies and failures of a span of time. The percentiles are at most 10 % off, and null without a reply. */
export interface Latency {
  readonly count: number;
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

interface Window {
  /** The number of the window: its beginning in milliseconds of `performance.now()`, by `WINDOW_MS`. */
  readonly number: number;
  readonly buckets: Uint32Array;
  count: number;
  failed: number;
}

export class LatencyWindows {
  #windows: Window[] = [];

  /** Adds a reply that took `ms`. @param now milliseconds of `performance.now()`, which a request has read anyhow */
  replied(ms: number, now: number): void {
    const window = this.#at(now);
    window.count++;
    const bucket = Math.ceil(Math.log2(ms / FIRST_MS) * BUCKETS_PER_DOUBLING);
    const index = bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0;
    window.buckets[index] = (window.buckets[index] as number) + 1;
  }

  failed(now: number): void {
    this.#at(now).failed++;
  }

  /**
   * The kept windows with the time of their beginning in milliseconds since 1970, whole seconds, oldest first. Windows
   * in which nothing ended are left out.
   * @param epoch the time at which `now` was 0
   */
  windows(now: number, epoch: number): readonly (Latency & { readonly at: number })[] {
    return this.#kept(now).map((window) => ({
      at: Math.round((epoch + window.number * WINDOW_MS) / 1_000) * 1_000,
      ...latencyOf([window]),
    }));
  }

  /** All kept windows as one. */
  total(now: number): Latency {
    return latencyOf(this.#kept(now));
  }

  #kept(now: number): readonly Window[] {
    const oldest = Math.floor(now / WINDOW_MS) - WINDOWS;
    return this.#windows.filter(({ number }) => number > oldest);
  }

  #at(now: number): Window {
    const number = Math.floor(now / WINDOW_MS);
    const newest = this.#windows.at(-1);
    if (newest?.number === number) return newest;
    const window: Window = { number, buckets: new Uint32Array(BUCKETS), count: 0, failed: 0 };
    this.#windows = [...this.#kept(now), window];
    return window;
  }
}

function latencyOf(windows: readonly Window[]): Latency {
  const sum = (of: (window: Window) => number) => windows.reduce((total, window) => total + of(window), 0);
  const count = sum((window) => window.count);
  const percentile = (share: number) => {
    let left = Math.ceil(count * share);
    for (let index = 0; index < BUCKETS; index++) {
      left -= sum(({ buckets }) => buckets[index] as number);
      if (left <= 0) return middleOf(index);
    }
    return middleOf(BUCKETS - 1);
  };
  const rounded = (share: number) => (count === 0 ? null : Number(percentile(share).toPrecision(3)));
  return { count, failed: sum((window) => window.failed), p50Ms: rounded(0.5), p99Ms: rounded(0.99) };
}

/** The middle of a bucket by ratio, which halves the error. */
function middleOf(index: number): number {
  return FIRST_MS * 2 ** ((index - 0.5) / BUCKETS_PER_DOUBLING);
}
