/** The refusal of new work once the exit has begun to refuse it. */

import { refused } from "../errors.ts";
import type { Lifecycle } from "./ports.ts";

/** @throws SidesocketError `shutting_down` */
export function demandAccepting({ accepting }: Pick<Lifecycle, "accepting">): void {
  if (!accepting) throw refused("shutting_down", "the service is shutting down");
}
