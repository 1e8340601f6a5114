/**
 * Durations and sizes with units, as text and as schemas.
 *
 * The configuration refuses a number without a unit: nobody should have to ask at night whether `timeout: 10` means
 * seconds or milliseconds.
 */

import * as z from "zod";
import type { DurationOfValue } from "../protocols/capture-plan.ts";
import { CAPTURED_PATTERN, capturedPlaceholder } from "../secrets/placeholders.ts";
import { BYTES, type CapturedDuration, type Duration, MILLISECONDS, type Size } from "./unit-table.ts";

/** The longest duration, in milliseconds (24.8 days): a longer timer fires at once on both runtimes. */
export const MAX_DURATION_MS = 2 ** 31 - 1;

/** The largest size, in bytes: far above the frames that `ws` or a JavaScript string can hold. */
export const MAX_SIZE_BYTES = 2 ** 31 - 1;

// The bounds on digits keep the arithmetic small: these texts come from query strings, too.
const DURATION = /^(\d{1,16})(?:\.(\d{1,9}))?(ms|s|m|h)$/;
const SIZE = /^(\d{1,16})(?:\.(\d{1,9}))?(B|kB|MB|GB|KiB|MiB|GiB)$/;

const DURATION_FORM = "must be a duration with its unit (ms, s, m or h), such as 10s or 500ms";
const SIZE_FORM = "must be a size with its unit (B, kB, MB, GB, KiB, MiB or GiB), such as 64KiB or 16MiB";

/** `whole.fraction × factor`, exactly; undefined if that is no integer. In floats, 1.001 s is 1000.999… ms. */
function multiply(whole: string, fraction: string, factor: number): number | undefined {
  const scale = 10n ** BigInt(fraction.length);
  const product = BigInt(whole + fraction) * BigInt(factor);
  return product % scale === 0n ? Number(product / scale) : undefined;
}

/**
 * Reads a duration such as `200ms`, `10s`, `1.5m` or `2h`.
 * @param minimum the shortest duration that is allowed, in milliseconds
 * @returns whole milliseconds, from `minimum` to {@link MAX_DURATION_MS}
 * @throws RangeError with a message that continues the name of a key and does not repeat the value
 */
export function parseDuration(text: string, minimum = 1): number {
  const match = DURATION.exec(text);
  if (match === null) throw new RangeError(DURATION_FORM);
  const [, whole = "", fraction = "", unit] = match;
  const value = multiply(whole, fraction, MILLISECONDS[unit as keyof typeof MILLISECONDS]);
  if (value === undefined) throw new RangeError("must be a whole number of milliseconds");
  if (value < minimum || value > MAX_DURATION_MS) {
    throw new RangeError(`must be from ${minimum}ms to ${MAX_DURATION_MS}ms (24.8 days)`);
  }
  return value;
}

/**
 * Reads a size such as `123B`, `500kB` (thousands) or `64KiB` (1024s).
 * @returns whole bytes, from 1 to {@link MAX_SIZE_BYTES}
 * @throws RangeError with a message that continues the name of a key and does not repeat the value
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  if (match === null) throw new RangeError(SIZE_FORM);
  const [, whole = "", fraction = "", unit] = match;
  const value = multiply(whole, fraction, BYTES[unit as keyof typeof BYTES]);
  if (value === undefined) throw new RangeError("must be a whole number of bytes");
  if (value < 1 || value > MAX_SIZE_BYTES) throw new RangeError(`must be from 1B to ${MAX_SIZE_BYTES}B (2 GiB)`);
  return value;
}

/**
 * Reads `?timeout=` and `?wait=`, where a bare number is seconds: `10`, `2.5`, `10s`, `500ms`.
 * The service's own maximum is not checked here.
 * @param minimum the shortest time that is allowed, in milliseconds: 0 where the caller need not wait
 * @returns whole milliseconds
 * @throws RangeError with a message that continues the name of the parameter and does not repeat the value
 */
export function parseTimeout(text: string, minimum = 1): number {
  const bare = /^\d+(?:\.\d+)?$/.test(text);
  if (!bare && !DURATION.test(text))
    throw new RangeError("must be a time such as 10, 2.5, 10s or 500ms (a bare number is seconds)");
  return parseDuration(bare ? `${text}s` : text, minimum);
}

/** True for the pattern of a duration or a size, whatever its schema takes besides. */
export function isUnitPattern(pattern: string): boolean {
  return [DURATION, SIZE].some(({ source }) => pattern.startsWith(source));
}

/** A schema for text that `parse` turns into a number. The pattern is for editors: it is in the JSON Schema. */
function unit<Text extends string, Value>(form: string, pattern: RegExp, parse: (text: string) => Value) {
  const schema: z.ZodType = z
    .string({
      error: ({ input }) => (typeof input === "number" ? `needs a unit: ${form}` : form),
    })
    .regex(pattern, form)
    .transform((text, context) => {
      try {
        return parse(text);
      } catch (error) {
        context.issues.push({ code: "custom", message: (error as RangeError).message, input: text });
        return z.NEVER;
      }
    });
  // Zod knows only that a pattern takes text.
  return schema as z.ZodType<Value, Text>;
}

/** A duration of at least 1 ms: text in, milliseconds out. */
export const duration = unit<Duration, number>(DURATION_FORM, DURATION, (text) => parseDuration(text));

/** A duration that may be 0 ("do not wait"): text in, milliseconds out. */
export const durationOrZero = unit<Duration, number>(DURATION_FORM, DURATION, (text) => parseDuration(text, 0));

/** A duration of at least 1 ms, or `off`, which becomes null. */
export const durationOrOff = unit<Duration | "off", number | null>(
  `${DURATION_FORM}, or off`,
  new RegExp(`${DURATION.source}|^off$`),
  (text) => (text === "off" ? null : parseDuration(text)),
);

const VALUE = new RegExp(`^${CAPTURED_PATTERN}(ms|s|m|h)$`);

/** A duration of at least 1 ms, or one whose number is a captured value, such as `${conn:interval}ms`. */
export const durationOrValue = unit<Duration | CapturedDuration, number | DurationOfValue>(
  `${DURATION_FORM}, or a captured value with its unit, such as ${capturedPlaceholder("interval")}ms`,
  new RegExp(`${DURATION.source}|${VALUE.source}`),
  (text) => {
    const [, value, unit] = VALUE.exec(text) ?? [];
    if (value === undefined) return parseDuration(text);
    return { value, unitMs: MILLISECONDS[unit as keyof typeof MILLISECONDS] };
  },
);

/** A size of at least one byte: text in, bytes out. */
export const size = unit<Size, number>(SIZE_FORM, SIZE, parseSize);

/** A whole number within bounds. A string of digits counts, too: `${PORT}` and flags are strings. */
export function wholeNumber(least: number, most: number): z.ZodType<number, number> {
  const error = `must be a whole number from ${least} to ${most}`;
  const schema: z.ZodType = z.preprocess(
    (input) => (typeof input === "string" && /^\d{1,10}$/.test(input) ? Number(input) : input),
    z.int({ error }).min(least, error).max(most, error),
  );
  return schema as z.ZodType<number, number>;
}
