/** Dialect of Nostr relays (https://github.com/nostr-protocol/nips: 01, 20, 42, 45). */

import { type Condition, matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import type { Decoded } from "../protocol.ts";

const named = (...names: readonly string[]): Condition => ({ any: names.map((name) => ({ match: { "/0": name } })) });

const refusal: Condition = { any: [named("CLOSED"), { match: { "/0": "OK", "/2": false } }] };

/** The beginning of ids, as JSON, of what stays open at the relay. */
const LIVE = '"live:';

/** An event's id, as JSON. */
const EVENT_ID = /^"[0-9a-f]{64}"$/;

const protocol = json(
  {
    id: {
      out: [
        { at: "/1", when: named("REQ", "COUNT") },
        { at: "/1/id", when: named("EVENT", "AUTH") },
      ],
      in: "/1",
      kind: "keep",
    },
    reply: named("EVENT", "EOSE", "CLOSED", "OK", "COUNT"),
    final: [{ not: named("EVENT") }],
    collect: {},
    cancel: ["CLOSE", "$id"],
  },
  "nostr",
);

/**
 * The ids are the callers' own, since that of an event is a part of what is signed. A REQ is a question: its reply has
 * the stored events up to EOSE, and it is closed then. One whose id begins with `live:` stays open, and its events are
 * messages.
 */
export const nostr: Dialect<never> = {
  purpose: "Nostr relays",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://relay.example.org",
    "    protocol: nostr",
    "    # subscriptions:   # an id that begins with live: stays open",
    "    #   notes:",
    '    #     request: [REQ, "live:notes", { kinds: [1], limit: 10 }]',
    '    #     match: { /0: EVENT, /1: "live:notes" }',
    '    #     ended: { match: { /0: CLOSED, /1: "live:notes" } }',
    '    #     unsubscribe: [CLOSE, "live:notes"]',
  ],
  build: () => ({
    protocol: {
      ...protocol,
      decode(frame) {
        const decoded = protocol.decode(frame);
        if (decoded.type !== "part" && decoded.type !== "reply") return decoded;
        if (String(decoded.id).startsWith(LIVE)) return live(decoded);
        if (decoded.type === "part" || matchesFrame(frame, named("CLOSED"))) return decoded;
        if (!matchesFrame(frame, named("EOSE"))) return alone(decoded);
        return {
          type: "several",
          results: [decoded, { type: "answer", frame: `["CLOSE",${decoded.id}]`, endsRequest: true }],
        };
      },
      cancel: (id) => (EVENT_ID.test(String(id)) ? undefined : protocol.cancel?.(id)),
      refuses: (reply) => matchesFrame(reply, refusal),
    },
  }),
};

function live(decoded: Extract<Decoded, { type: "part" | "reply" }>): Decoded {
  return decoded.type === "part" ? { type: "message", json: true } : alone(decoded);
}

/** A reply that is one frame. */
function alone({ id, render }: Extract<Decoded, { type: "reply" }>): Decoded {
  return { type: "reply", id, render };
}
