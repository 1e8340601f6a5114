/**
 * The Chrome DevTools Protocol (https://chromedevtools.github.io/devtools-protocol/): Chromium, Node's inspector. Ids are
 * 32-bit integers; `sessionId` and all else that stands beside them passes through. An error without an id is handed on as
 * a message: replies come in any order, so nothing says which request it means, and one that it does mean runs into its
 * deadline.
 */

import { json } from "./json.ts";
import type { Preset } from "./preset.ts";

export function cdp(): Preset {
  return { protocol: json({ id: { kind: "int32" }, reply: { lacks: ["/method"] } }, "cdp") };
}
