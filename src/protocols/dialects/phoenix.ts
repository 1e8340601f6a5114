/** Dialect of Phoenix channels (https://hexdocs.pm/phoenix/writing_a_channels_client.html). */

import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";

const REPLY = "phx_reply";
const HEARTBEAT_MS = 30_000;
const REPLY_MS = 10_000;

/**
 * A message of version 2 is `[join_ref, ref, topic, event, payload]`; of version 1, an object of these. The server ends
 * a connection without heartbeats after a minute.
 */
export const phoenix: Dialect<"version"> = {
  purpose: "Phoenix channels",
  start: [
    "upstreams:",
    "  default:",
    '    url: "wss://example.org/socket/websocket?vsn=2.0.0"   # and the socket\'s parameters: &token=${TOKEN}',
    "    protocol: phoenix",
    "    # subscriptions:   # a channel is joined by a subscription, and joined again when it ends",
    "    #   lobby:",
    '    #     request: [lobby, null, "room:lobby", phx_join, {}]',
    '    #     match: { /2: "room:lobby" }',
    "    #     ended: { any: [{ match: { /3: phx_error } }, { match: { /3: phx_close } }] }",
    '    #     unsubscribe: [lobby, null, "room:lobby", phx_leave, {}]',
  ],
  options: { version: 'The version of the messages, "1" or "2", which is that of vsn in the address; by default "2".' },
  forms: { version: { pattern: /^[12]$/, must: 'must be "1" or "2"' } },
  build: ({ version = "2" }) => {
    const isFirst = version === "1";
    const [ref, topic, event, status] = isFirst
      ? (["/ref", "/topic", "/event", "/payload/status"] as const)
      : (["/1", "/2", "/3", "/4/status"] as const);
    const beat = { topic: "phoenix", event: "heartbeat", payload: {}, ref: "$id" };
    return {
      protocol: {
        ...json({ id: { out: ref, in: ref, kind: "string" }, reply: { match: { [event]: REPLY } } }, "phoenix"),
        refuses: (reply) => matchesFrame(reply, { match: { [status]: "error" } }),
      },
      heartbeat: {
        send: isFirst ? beat : [null, beat.ref, beat.topic, beat.event, beat.payload],
        every: HEARTBEAT_MS,
        expect: { match: { [topic]: "phoenix", [event]: REPLY } },
        within: REPLY_MS,
      },
    };
  },
};
