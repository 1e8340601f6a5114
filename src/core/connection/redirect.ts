/** The decision whether a redirect of the upgrade is followed. */

import type { UpstreamSettings } from "../../config/schema.ts";
import type { Disconnect } from "./disconnect.ts";
import { judgeAddress, type NamedAddress } from "./reconnect-address.ts";

type RedirectSettings = Pick<UpstreamSettings, "redirects" | "allow_plaintext">;

/** The most redirects that one attempt follows. */
export const REDIRECTS_MAX = 5;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Returns the address to connect to next, or why it is not followed; undefined for a response that leads nowhere.
 * @param from the address that responded
 * @param followed the number of redirects so far
 */
export function redirectOf(
  drop: Disconnect,
  from: string,
  followed: number,
  { redirects, allow_plaintext }: RedirectSettings,
): NamedAddress | undefined {
  if (drop.reason !== "status" || !REDIRECTS.has(drop.status) || drop.location === undefined) return undefined;
  if (followed >= REDIRECTS_MAX) return { why: `it is the last of ${REDIRECTS_MAX + 1} in a row` };
  if (!URL.canParse(drop.location, from)) return { why: "it is not a URL" };
  const target = new URL(drop.location, from);
  // A server of HTTP knows WebSocket addresses by these names.
  const scheme = target.protocol.replace(/^http/, "ws");
  return judgeAddress(target.href.replace(/^[^:]+:/, scheme), redirects, { url: from, allow_plaintext });
}
