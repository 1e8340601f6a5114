/** The histogram: durations counted by buckets, cheap enough for every request. */

/**
 * The upper bounds of the buckets, in seconds: those that OpenTelemetry advises for HTTP, and two below them, because
 * an upstream on the same machine replies within a millisecond.
 */
export const BUCKET_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;

const BOUNDS = Float64Array.from(BUCKET_BOUNDS);

export class Histogram {
  /** One count for each bound, and one for what is beyond them all. */
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  /** The sum of all observations, in seconds. */
  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  /** The number of observations up to each bound, in the order of {@link BUCKET_BOUNDS}. */
  get upTo(): readonly number[] {
    let total = 0;
    return BUCKET_BOUNDS.map((_, bucket) => {
      total += this.#counts[bucket] as number;
      return total;
    });
  }
}
