/** The response of an upstream that refuses the upgrade, read as far as people can use it. */

import type { IncomingMessage } from "node:http";
import type { Disconnect } from "../../core/connection/disconnect.ts";
import { retryAfterMs } from "../../core/util/retry-after.ts";
import { excerptOf, SEARCHED_MAX, withoutQuery } from "../../secrets/secrets.ts";

type RefusedUpgrade = Extract<Disconnect, { reason: "status" }>;

/** The time that a body has behind its headers, in milliseconds: no attempt may wait longer for an explanation. */
const BODY_WITHIN_MS = 500;
/** The most characters of a body that are shown. */
const SHOWN_MAX = 1_024;

/** The refusal as its headers have it. */
export function refusalOf({ statusCode: status = 0, headers }: IncomingMessage, now: number): RefusedUpgrade {
  const after = retryAfterMs(headers["retry-after"], now);
  return { reason: "status", status, retryAfterMs: after, location: headers.location };
}

/** Reads the beginning of the body, and calls `done` once, at the latest after half a second. */
export function readBody(response: IncomingMessage, done: (body: Uint8Array) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const settle = (): void => {
    clearTimeout(timer);
    for (const event of ENDS) response.off(event, settle);
    // Destroying it may still emit an error, which says nothing more.
    response.on("error", () => {});
    response.destroy();
    done(Buffer.concat(chunks).subarray(0, SEARCHED_MAX));
  };
  const timer = setTimeout(settle, BODY_WITHIN_MS);
  for (const event of ENDS) response.on(event, settle);
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= SEARCHED_MAX) settle();
  });
}

const ENDS = ["end", "close", "error"] as const;

/** Makes what a peer wrote fit for people: without secrets, control characters and the query of a location. */
export function shownRefusal(refusal: RefusedUpgrade, url: string, secrets: readonly string[]): RefusedUpgrade {
  const { body, location } = refusal;
  const isRelative = location !== undefined && URL.canParse(location, url);
  const target = isRelative ? withoutQuery(new URL(location, url)) : location;
  return {
    ...refusal,
    ...(typeof body === "object" && { body: excerptOf(textIn(body), secrets, SHOWN_MAX) }),
    ...(target !== undefined && { location: excerptOf(target, secrets) }),
  };
}

/** The text of a body that may have been cut within a character; undefined for bytes that are no text. */
function textIn(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body, { stream: true });
  } catch {
    return undefined;
  }
}
