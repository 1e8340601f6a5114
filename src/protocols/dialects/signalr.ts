/** Dialect of SignalR's JSON hub protocol (https://github.com/dotnet/aspnetcore, HubProtocol.md). */

import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { withLoneFrames } from "../lone-frame.ts";
import { STEP_MS } from "../preset.ts";

/** The character that ends each message. */
const RECORD_SEPARATOR = "\u001e";

const INVOCATION_ID = "/invocationId";

/**
 * A request is an invocation (type 1) or a stream invocation (type 4). Its reply is the completion (type 3), or the
 * array of the stream's items (type 2) and the completion. The server ends a connection on which it hears nothing for
 * 30 s, and pings of WebSockets do not count.
 */
export const signalr: Dialect<never> = {
  purpose: "ASP.NET Core SignalR hubs",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/chathub   # a hub that takes clients without negotiation",
    "    protocol: signalr",
  ],
  build: () => {
    const protocol = json(
      {
        id: { out: INVOCATION_ID, in: INVOCATION_ID, kind: "string" },
        reply: { any: [{ match: { "/type": 2 } }, { match: { "/type": 3 } }] },
        final: [{ match: { "/type": 3 } }],
        collect: {},
      },
      "signalr",
    );
    return {
      protocol: withLoneFrames({
        ...protocol,
        cancel: (id) => JSON.stringify({ type: 5, invocationId: String(id) }),
      }),
      frames: { split: RECORD_SEPARATOR },
      greeting: [
        // Its answer is an empty object, or has the error.
        {
          send: { protocol: "json", version: 1 },
          expect: { lacks: ["/error", "/type"], reject: { has: ["/error"], lacks: ["/type"] }, within: STEP_MS },
        },
      ],
      heartbeat: { send: { type: 6 }, every: 15_000, within: STEP_MS },
    };
  },
};
