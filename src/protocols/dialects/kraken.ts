/** Dialect of Kraken's WebSocket API v2 (https://docs.kraken.com/api/docs/websocket-v2/ping). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";

const REQUEST_ID = "/req_id";

/** Replies carry `req_id` and `method`; what a channel publishes has `channel`, and is a message. */
export const kraken: Dialect<never> = {
  purpose: "Kraken's WebSocket API v2",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://ws.kraken.com/v2",
    "    protocol: kraken",
    "    # subscriptions:",
    "    #   ticker:",
    "    #     request: { method: subscribe, params: { channel: ticker, symbol: [BTC/USD] } }",
    "    #     match: { /channel: ticker }",
  ],
  build: () => ({
    protocol: json({ id: { out: REQUEST_ID, in: REQUEST_ID }, reply: { lacks: ["/channel"] } }, "kraken"),
  }),
};
