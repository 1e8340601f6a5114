/** The check of option names: a misspelt one must not go unnoticed. */

import { meant } from "../config/suggestions.ts";
import { type ErrorCode, refused } from "../errors.ts";

/** The names of the options of a type, each of which the compiler wants to be there. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/** @throws SidesocketError for an option that nobody knows, with the one that was meant */
export function demandKnown<Options extends object>(
  options: Options,
  known: OptionNames<Options>,
  of: string,
  code: ErrorCode = "invalid_request",
): void {
  if (typeof options !== "object" || options === null) throw refused(code, `the options of ${of} must be an object`);
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    throw refused(code, `${name} is not an option of ${of} (${meant(name, Object.keys(known))})`);
  }
}
