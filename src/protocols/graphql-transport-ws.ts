/** Preset for graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). */

import { type AnswerRule, withAnswers } from "./answers.ts";
import { operationOf } from "./graphql.ts";
import { json } from "./json.ts";
import { type Preset, STEP_MS } from "./preset.ts";

export interface GraphqlOptions {
  /** Payload of `connection_init`, for servers that require a login. */
  readonly payload?: unknown;
}

export const GRAPHQL_TRANSPORT_WS = "graphql-transport-ws";

const PING: AnswerRule = {
  when: { match: { "/type": "ping" } },
  send: { type: "pong" },
  copy: { "/payload": "/payload" },
};

/**
 * Builds the preset. A request is a `subscribe` frame; its reply is the array of all frames that arrive for it: `next`
 * frames, then `complete` or `error`.
 */
export function graphqlTransportWs({ payload }: GraphqlOptions): Preset {
  const protocol = json(
    {
      id: { kind: "string" },
      idsAlways: true,
      final: [{ match: { "/type": "complete" } }, { match: { "/type": "error" } }],
      collect: {},
    },
    GRAPHQL_TRANSPORT_WS,
  );
  const answering = withAnswers(protocol, [PING]);
  return {
    protocol: {
      ...answering,
      encode(message, id, route) {
        // Throws if the server would close the socket over the message.
        const subscribes = operationOf(message)?.kind === "subscription";
        return { ...protocol.encode(message, id, route), subscribes };
      },
      cancel: (id) => JSON.stringify({ id: String(id), type: "complete" }),
    },
    subprotocols: [GRAPHQL_TRANSPORT_WS],
    greeting: [
      { send: { type: "connection_init", ...(payload !== undefined && { payload }) } },
      { expect: { match: { "/type": "connection_ack" }, within: STEP_MS } },
    ],
    // 4406: subprotocol not accepted. 4409: id in use. 4429: too many initialisations, or too many clients.
    // 4400 is left out: it concerns one caller's message and must not keep the others waiting.
    codes: { 4406: "refuse", 4409: "slow", 4429: "slow" },
  };
}
