/** Check of a whole configuration, whose unknown keys may be known elsewhere in it. */

import type { z } from "zod";
import { type Checked, check } from "./problems.ts";

/**
 * Checks `input` like {@link check}; the problems of unknown keys say where else they are known. What knows that is
 * loaded only for a configuration that has such keys.
 */
export async function checkWhole<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): Promise<Checked<z.output<Schema>>> {
  const checked = check(schema, input);
  if ("value" in checked || !checked.problems.some(({ unknown }) => unknown)) return checked;
  const { withCures } = await import("./unknown-keys.ts");
  return { problems: withCures(schema, input, checked.problems) };
}
