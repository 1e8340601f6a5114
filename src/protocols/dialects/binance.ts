/** Dialect of Binance's WebSocket API and streams (https://developers.binance.com/docs/binance-spot-api-docs). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";

/** A frame without an id is an event of a stream. Binance pings each 20 s, and ends each connection after a day. */
export const binance: Dialect<never> = {
  purpose: "Binance's WebSocket API and streams",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://ws-api.binance.com:443/ws-api/v3",
    "    protocol: binance",
    "    reconnect: { rotate: { every: 23h } }   # Binance ends each connection after 24 hours",
  ],
  // An error that has no id names no request: it is a message, because several requests may be in flight.
  build: () => ({ protocol: json({ id: { kind: "int" }, idsAlways: true, reply: { lacks: ["/e"] } }, "binance") }),
};
