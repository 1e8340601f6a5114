/**
 * Full jitter: a delay anywhere between nothing and the exponential ceiling. A thousand clients of one upstream that
 * lost it together come back spread out, which is what the ceiling alone does not give.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt how many attempts have failed since the last success, from 0
 * @param random  a number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(attempt: number, fromMs: number, toMs: number, random: number): number {
  const ceiling = Math.min(toMs, fromMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling * random);
}

/** Spreads a fixed interval by a quarter to either side, so that replicas which began together drift apart. */
export function aroundInterval(intervalMs: number, random: number): number {
  return Math.round(intervalMs * (0.75 + random / 2));
}
