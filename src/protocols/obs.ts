/**
 * obs-websocket 5 (https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md): requests and batches
 * of them (op 6 and 8), answered under their `requestId` (op 7 and 9); events (op 5) are messages. A server with a password
 * says so in its Hello (op 0), with a challenge that Identify (op 1) answers.
 */

import { json } from "./json.ts";
import { type Preset, STEP_MS } from "./preset.ts";

export interface ObsOptions {
  /** Which events OBS sends: its bit mask; all but the high-volume ones, unless given. */
  readonly events?: number | undefined;
  /** That of the server, where it has one. */
  readonly password?: string | undefined;
}

const REQUEST_ID = "/d/requestId";

export function obs({ events, password }: ObsOptions): Preset {
  const wanted = events === undefined ? {} : { eventSubscriptions: events };
  return {
    protocol: json(
      { id: { out: REQUEST_ID, in: REQUEST_ID, kind: "string" }, reply: { lacks: ["/d/eventType"] } },
      "obs",
    ),
    subprotocols: ["obswebsocket.json"],
    greeting: [
      { expect: { match: { "/op": 0 }, within: STEP_MS } },
      {
        send: { op: 1, d: { rpcVersion: 1, ...wanted } },
        ...(password !== undefined && { challenge: { at: "/d/authentication", password } }),
      },
      { expect: { match: { "/op": 2 }, within: STEP_MS } },
    ],
    // Authentication failed, another version of the protocol, and kicked by whoever sits at OBS, who wants no reconnect.
    codes: { 4009: "refuse", 4010: "refuse", 4011: "refuse" },
  };
}
