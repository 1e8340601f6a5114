import { randomUUID } from "node:crypto";

/** What may stand in a log line and in a header without harm. */
const HARMLESS = /^[A-Za-z0-9_.:-]{1,128}$/;

/** The caller's own id of the request where it is harmless, else one of ours. */
export function requestId(given: string | undefined): string {
  return given !== undefined && HARMLESS.test(given) ? given : randomUUID();
}
