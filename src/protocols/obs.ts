/** Preset for obs-websocket 5 (https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md). */

import { json } from "./json.ts";
import { type Preset, STEP_MS } from "./preset.ts";

export interface ObsOptions {
  /** Bit mask of the events that OBS sends; by default all but the high-volume ones. */
  readonly events?: number | undefined;
  /** The server's password, if it has one. */
  readonly password?: string | undefined;
}

const REQUEST_ID = "/d/requestId";

/**
 * Builds the preset. Requests and batches (op 6 and 8) get their replies (op 7 and 9) under their `requestId`; events
 * (op 5) are messages. A server with a password sends a challenge in Hello (op 0), to which Identify (op 1) responds.
 */
export function obs({ events, password }: ObsOptions): Preset {
  const subscribed = events === undefined ? {} : { eventSubscriptions: events };
  return {
    protocol: json(
      { id: { out: REQUEST_ID, in: REQUEST_ID, kind: "string" }, idsAlways: true, reply: { lacks: ["/d/eventType"] } },
      "obs",
    ),
    subprotocols: ["obswebsocket.json"],
    greeting: [
      { expect: { match: { "/op": 0 }, within: STEP_MS } },
      {
        send: { op: 1, d: { rpcVersion: 1, ...subscribed } },
        ...(password !== undefined && { challenge: { at: "/d/authentication", password } }),
      },
      { expect: { match: { "/op": 2 }, within: STEP_MS } },
    ],
    // Authentication failed, unsupported protocol version, and kicked by the person at OBS, who wants no reconnect.
    codes: { 4009: "refuse", 4010: "refuse", 4011: "refuse" },
  };
}
