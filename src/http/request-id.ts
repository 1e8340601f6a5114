/** Request ids: the caller's own where it is safe to repeat, else a random one. */

import { randomUUID } from "node:crypto";

/** Safe in a log line and in a header. */
const SAFE_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

export function requestId(given: string | undefined): string {
  return given !== undefined && SAFE_ID.test(given) ? given : randomUUID();
}
