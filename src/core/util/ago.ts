/** Spans of time in texts for people. */

/** How long ago something was, with as many digits as help: `300 ms ago`, `4.2 s ago`, `210 s ago`. */
export function ago(ms: number): string {
  return `${span(ms)} ago`;
}

/** A span of time: `300 ms`, `4.2 s`, `210 s`. */
export function span(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole} ms`;
  const seconds = whole / 1_000;
  return `${seconds < 100 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
