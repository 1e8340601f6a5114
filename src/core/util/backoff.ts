/** Backoff for retries: full jitter below an exponential ceiling, and a jittered fixed interval. */

/**
 * Full jitter: a random delay between zero and the exponential ceiling. A thousand clients that lose their upstream at
 * the same moment come back spread out, which the ceiling alone would not achieve.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt number of failed attempts since the last success, from 0
 * @param random  a number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(attempt: number, fromMs: number, toMs: number, random: number): number {
  const ceiling = Math.min(toMs, fromMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling * random);
}

/** Varies a fixed interval by up to a quarter either way, so that replicas started together drift apart. */
export function aroundInterval(intervalMs: number, random: number): number {
  return Math.round(intervalMs * (0.75 + random / 2));
}
