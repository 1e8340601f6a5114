/** Headers of the response to a message that depend on how it was sent, not on its outcome. */

import type { Context } from "hono";
import type { Env } from "../env.ts";
import { commonHeaders } from "../problem.ts";

export interface CallFacts {
  /** The preference that was followed (RFC 7240). */
  readonly applied?: string | undefined;
  /** The upstream that replied; given only where equivalents are configured. */
  readonly servedBy?: string | undefined;
  /** The place of a reply that may still come. */
  readonly location?: string | undefined;
  /** True if the outcome is that of an earlier request with the same key. */
  readonly replayed?: boolean | undefined;
}

/** @returns a new record */
export function callHeaders(
  c: Context<Env>,
  { applied, servedBy, location, replayed }: CallFacts,
): Record<string, string> {
  const headers = commonHeaders(c);
  if (applied !== undefined) headers["Preference-Applied"] = applied;
  if (servedBy !== undefined) headers["Sidesocket-Upstream"] = servedBy;
  if (location !== undefined) headers.Location = location;
  if (replayed) headers["Idempotency-Replayed"] = "true";
  return headers;
}
