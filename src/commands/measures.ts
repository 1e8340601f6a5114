/** Options of commands that are a time or a size. */

import { ConfigError } from "../config/problems.ts";
import { parseSize, parseTimeout } from "../config/units.ts";

/**
 * Reads a time such as `10`, `2.5s` or `5m`, in milliseconds; undefined if it is not given.
 * @throws ConfigError if it is none
 */
export function durationOption(name: string, text: string | undefined): number | undefined {
  return measure(name, text, parseTimeout);
}

/**
 * Reads a size such as `64KiB`, in bytes; undefined if it is not given.
 * @throws ConfigError if it is none
 */
export function sizeOption(name: string, text: string | undefined): number | undefined {
  return measure(name, text, parseSize);
}

function measure(name: string, text: string | undefined, parse: (text: string) => number): number | undefined {
  try {
    return text === undefined ? undefined : parse(text);
  } catch (error) {
    throw new ConfigError(`--${name} ${(error as RangeError).message}`);
  }
}
