/** Dialect of subscriptions-transport-ws, the older of GraphQL's two (the npm package of this name has its text). */

import type { Dialect } from "../dialect.ts";
import { operationOf } from "../graphql.ts";
import { json } from "../json.ts";
import { STEP_MS } from "../preset.ts";

/**
 * A request is a `start` frame; its reply is the array of all frames that arrive for it: `data` frames, then `complete`
 * or `error`. Its subprotocol has the name that the newer protocol's library took.
 */
export const graphqlWs: Dialect<never> = {
  purpose: "older GraphQL servers (subscriptions-transport-ws)",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/graphql",
    "    protocol: graphql-ws",
    "    # greeting:   # with a login; by default the payload is empty",
    '    #   - send: { type: connection_init, payload: { authorization: "Bearer ${TOKEN}" } }',
    "    #     expect: { match: { /type: connection_ack } }",
    "    #     reject: { match: { /type: connection_error } }",
  ],
  build: () => {
    const protocol = json(
      {
        id: { kind: "string" },
        idsAlways: true,
        final: [{ match: { "/type": "complete" } }, { match: { "/type": "error" } }],
        collect: {},
      },
      "graphql-ws",
    );
    return {
      protocol: {
        ...protocol,
        encode(message, id, route) {
          const subscribes = operationOf(message, "start")?.kind === "subscription";
          return { ...protocol.encode(message, id, route), subscribes };
        },
        cancel: (id) => JSON.stringify({ id: String(id), type: "stop" }),
      },
      subprotocols: ["graphql-ws"],
      greeting: [
        {
          send: { type: "connection_init", payload: {} },
          expect: {
            match: { "/type": "connection_ack" },
            reject: { match: { "/type": "connection_error" } },
            within: STEP_MS,
          },
        },
      ],
    };
  },
};
