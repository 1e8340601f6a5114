/** Preset for the Chrome DevTools Protocol, which Chromium and Node's inspector speak. */

import { json } from "./json.ts";
import type { Preset } from "./preset.ts";

/**
 * Builds the preset for https://chromedevtools.github.io/devtools-protocol/. Ids are 32-bit integers; `sessionId` and
 * every other member pass through. An error without an id is handed on as a message: replies arrive in any order, so
 * nothing identifies the request that failed, and that request times out.
 */
export function cdp(): Preset {
  return { protocol: json({ id: { kind: "int32" }, idsAlways: true, reply: { lacks: ["/method"] } }, "cdp") };
}
