/** Dialect of Deribit's JSON-RPC API (https://docs.deribit.com). */

import { withAnswers } from "../answers.ts";
import type { Dialect } from "../dialect.ts";
import { jsonRpcWith } from "../json-rpc.ts";
import { type GreetingStep, STEP_MS } from "../preset.ts";

const HEARTBEAT_S = 30;

/**
 * The server asks for a sign of life once `public/set_heartbeat` has told it to, and ends a connection without one.
 * With `client_id` and `client_secret` the connection logs in, so that callers need no token of their own.
 */
export const deribit: Dialect<"client_id" | "client_secret"> = {
  purpose: "Deribit",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://www.deribit.com/ws/api/v2",
    "    protocol:",
    "      preset: deribit",
    '      # client_id: "${DERIBIT_ID}"',
    '      # client_secret: "${DERIBIT_SECRET}"',
    "    # subscriptions:",
    "    #   trades:",
    "    #     request:",
    '    #       { jsonrpc: "2.0", method: public/subscribe, params: { channels: [trades.BTC-PERPETUAL.100ms] } }',
    "    #     match: { /method: subscription, /params/channel: trades.BTC-PERPETUAL.100ms }",
  ],
  options: {
    client_id: "The id of an API key; without it, the connection does not log in.",
    client_secret: "The secret of the API key.",
  },
  outgoing: { client_id: true, client_secret: true },
  build: ({ client_id, client_secret }) => ({
    protocol: withAnswers(jsonRpcWith({}), [
      {
        when: { match: { "/method": "heartbeat", "/params/type": "test_request" } },
        send: { jsonrpc: "2.0", id: "$id", method: "public/test", params: {} },
      },
    ]),
    greeting: [
      ...(client_id === undefined
        ? []
        : [step("public/auth", { grant_type: "client_credentials", client_id, client_secret })]),
      step("public/set_heartbeat", { interval: HEARTBEAT_S }),
    ],
  }),
};

function step(method: string, params: object): GreetingStep {
  return {
    send: { jsonrpc: "2.0", id: method, method, params },
    expect: {
      match: { "/id": method },
      has: ["/result"],
      reject: { match: { "/id": method }, has: ["/error"] },
      within: STEP_MS,
    },
  };
}
