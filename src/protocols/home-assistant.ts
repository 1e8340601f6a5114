/** Preset for Home Assistant's WebSocket API (https://developers.home-assistant.io/docs/api/websocket). */

import { json } from "./json.ts";
import { type Preset, STEP_MS } from "./preset.ts";

export interface HomeAssistantOptions {
  /** A long-lived access token. Without it, the configuration must define a greeting. */
  readonly token?: string | undefined;
}

/**
 * Builds the preset. Ids must increase from message to message. The reply to a command is `result` or `pong`; the
 * events of a subscription carry its id and are messages.
 */
export function homeAssistant({ token }: HomeAssistantOptions): Preset {
  return {
    protocol: json(
      { id: { kind: "increasing" }, idsAlways: true, skip: [{ match: { "/type": "event" } }] },
      "home-assistant",
    ),
    greeting:
      token === undefined
        ? null
        : [
            { expect: { match: { "/type": "auth_required" }, within: STEP_MS } },
            { send: { type: "auth", access_token: token } },
            {
              expect: {
                match: { "/type": "auth_ok" },
                reject: { match: { "/type": "auth_invalid" } },
                within: STEP_MS,
              },
            },
          ],
  };
}
