/** The values that the configuration puts into every message of a caller. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { withAdded } from "../../protocols/json-add.ts";
import type { Body } from "../../protocols/protocol.ts";
import { filledJson } from "../connection/captured-texts.ts";
import type { CapturedScalars } from "../connection/captured-values.ts";

/**
 * Completes a caller's message when it is handed to the socket.
 * @throws InvalidMessage if there is no place for a value, ValueMissing if it is not known yet
 */
export type Add = (frame: Body) => Body;

export function withAdditions(frame: Body, add: UpstreamSettings["add"], values: CapturedScalars): Body {
  return Object.entries(add).reduce(
    (message, [pointer, value]) => withAdded(message, pointer, filledJson(JSON.stringify(value), values)),
    frame,
  );
}
