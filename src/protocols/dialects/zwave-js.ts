/** Dialect of Z-Wave JS Server (https://github.com/zwave-js/zwave-js-server). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { STEP_MS } from "../preset.ts";

const MESSAGE_ID = "/messageId";

/**
 * The server says its version first, and then takes the schema of its messages. Replies have the type `result`; events
 * come only after `start_listening`.
 */
export const zwaveJs: Dialect<"schema"> = {
  purpose: "Z-Wave JS Server",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:3000",
    "    protocol: zwave-js",
    "    # subscriptions:   # its reply has the state of all nodes; then each change comes as an event",
    "    #   events: { request: { command: start_listening }, match: { /type: event } }",
  ],
  options: { schema: "The version of the messages; by default the smallest, 0." },
  forms: { schema: { pattern: /^\d{1,4}$/, must: "must be a whole number" } },
  build: ({ schema = "0" }) => ({
    protocol: json(
      {
        id: { out: MESSAGE_ID, in: MESSAGE_ID, kind: "string" },
        idsAlways: true,
        reply: { match: { "/type": "result" } },
      },
      "zwave-js",
    ),
    greeting: [
      { expect: { match: { "/type": "version" }, within: STEP_MS } },
      {
        send: { messageId: "$id", command: "set_api_schema", schemaVersion: Number(schema) },
        expect: {
          match: { "/type": "result", "/success": true },
          reject: { match: { "/type": "result", "/success": false } },
          within: STEP_MS,
        },
      },
    ],
  }),
};
