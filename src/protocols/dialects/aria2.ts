/** Dialect of aria2's JSON-RPC over WebSocket (https://aria2.github.io/manual/en/html/aria2c.html#rpc-interface). */

import type { Dialect } from "../dialect.ts";
import { jsonRpcWith } from "../json-rpc.ts";

/** The secret of `--rpc-secret` is the first parameter of every call. Downloads that end or fail are notified. */
export const aria2: Dialect<"token"> = {
  purpose: "aria2, a download manager",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:6800/jsonrpc",
    "    protocol:",
    "      preset: aria2",
    '      token: "${ARIA2_SECRET}"   # of --rpc-secret; leave it out if there is none',
  ],
  options: { token: "The secret of aria2's --rpc-secret, which goes into every call." },
  outgoing: { token: true },
  build: ({ token }) => ({
    protocol: jsonRpcWith({}),
    ...(token !== undefined && { add: { "/params/0": `token:${token}` } }),
  }),
};
