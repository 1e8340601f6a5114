/** The Retry-After header of a response, by RFC 9110 §10.2.3. */

/** Parses whole seconds, or a date. @returns milliseconds; undefined if there is no time in it */
export function retryAfterMs(value: string | null | undefined, wallClock: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallClock);
}
