/** Dialect of the XRP Ledger's servers (https://xrpl.org/docs/references/http-websocket-apis). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";

/** Replies, also errors, have the type `response`; everything else comes from a subscription. */
export const xrpl: Dialect<never> = {
  purpose: "servers of the XRP Ledger: rippled, Clio",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:6006",
    "    protocol: xrpl",
    "    # subscriptions:",
    "    #   ledger:",
    "    #     request: { command: subscribe, streams: [ledger] }",
    "    #     match: { /type: ledgerClosed }",
    "    #     unsubscribe: { command: unsubscribe, streams: [ledger] }",
  ],
  build: () => ({
    protocol: json({ id: { kind: "int" }, reply: { match: { "/type": "response" } } }, "xrpl"),
    // 1008: the server has its limit of this client's requests.
    codes: { 1008: "slow" },
  }),
};
