/** The check of a subscription that a caller orders. */

import { refused } from "../errors.ts";
import { preparePatterns } from "../protocols/lazy-pattern.ts";
import { check, dotted } from "./problems.ts";
import { subscriptionOrderSchema } from "./subscription-settings.ts";

/** @param whole the name of the order itself in an error */
export async function checkedOrder(given: unknown, whole: string) {
  await preparePatterns(given);
  return demandOrder(given, whole);
}

/** Like `checkedOrder`, for an order whose patterns are prepared. */
export function demandOrder(given: unknown, whole: string) {
  const checked = check(subscriptionOrderSchema, given);
  if ("value" in checked) return checked.value;
  const all = checked.problems.map(({ path, what }) => `${dotted(path) || whole} ${what}`);
  throw refused("invalid_request", all.join("; "));
}
