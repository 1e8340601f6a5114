/**
 * graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). A request is a `subscribe`
 * frame; its reply is the array of all that came for it: `next` frames, and at the end `complete` or `error`.
 */

import { operationOf } from "./graphql.ts";
import { json } from "./json.ts";
import { type Preset, STEP_MS } from "./preset.ts";

export interface GraphqlOptions {
  /** What `connection_init` carries: a login, where the server wants one. */
  readonly payload?: unknown;
}

export const GRAPHQL_TRANSPORT_WS = "graphql-transport-ws";

export function graphqlTransportWs({ payload }: GraphqlOptions): Preset {
  const protocol = json(
    {
      id: { kind: "string" },
      final: [{ match: { "/type": "complete" } }, { match: { "/type": "error" } }],
      collect: {},
      answers: [{ when: { match: { "/type": "ping" } }, send: { type: "pong" }, copy: { "/payload": "/payload" } }],
    },
    GRAPHQL_TRANSPORT_WS,
  );
  return {
    protocol: {
      ...protocol,
      encode(message, id, mode) {
        const subscribes = operationOf(message) === "subscription"; // Throws for what would cost all their connection.
        return { ...protocol.encode(message, id, mode), subscribes };
      },
      cancel: (id) => JSON.stringify({ id: String(id), type: "complete" }),
    },
    subprotocols: [GRAPHQL_TRANSPORT_WS],
    greeting: [
      { send: { type: "connection_init", ...(payload !== undefined && { payload }) } },
      { expect: { match: { "/type": "connection_ack" }, within: STEP_MS } },
    ],
    // Another subprotocol; an id in use, and too many initialisations, which a server may also say of too many clients.
    // 4400 is about one caller's message, and must not keep the others waiting.
    codes: { 4406: "refuse", 4409: "slow", 4429: "slow" },
  };
}
