/** Dialect of Mopidy's JSON-RPC over WebSocket (https://docs.mopidy.com/stable/api/http). */

import type { Dialect } from "../dialect.ts";
import { jsonRpc } from "../json-rpc.ts";

/** Events are objects of another kind, without an id and a method: messages. */
export const mopidy: Dialect<never> = {
  purpose: "Mopidy, a music server",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:6680/mopidy/ws",
    "    protocol: mopidy",
    "    # webhooks:   # what it plays, for a program of yours",
    "    #   - { url: http://127.0.0.1:9000/, when: { match: { /event: track_playback_started } } }",
  ],
  build: () => ({ protocol: jsonRpc }),
};
