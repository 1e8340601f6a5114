/** Dialect of Janus, a WebRTC server (https://janus.conf.meetecho.com/docs/rest.html#WS). */

import { type Condition, matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { DRAIN_MS, STEP_MS } from "../preset.ts";
import { InvalidMessage, type Protocol } from "../protocol.ts";

const TRANSACTION = "/transaction";

const kind = (...kinds: readonly string[]): Condition => ({ any: kinds.map((one) => ({ match: { "/janus": one } })) });

const CREATE = "create";
const KEEPALIVE = "keepalive";
/** Janus ends a session after a minute without one, by default. */
const KEEPALIVE_MS = 30_000;
const ACKNOWLEDGED_MS = 10_000;

/** A request to a plugin is acknowledged first, and its reply is the event with the same transaction. */
const transactions = json(
  {
    id: { out: TRANSACTION, in: TRANSACTION, kind: "string" },
    idsAlways: true,
    skip: [kind("ack")],
  },
  "janus",
);

const protocol: Protocol = {
  ...transactions,
  encode(message, id, route) {
    const encoded = transactions.encode(message, id, route);
    if (matchesFrame(message, kind(CREATE, "destroy", "claim"))) {
      throw new InvalidMessage("shape", "the session is that of the connection, and begins and ends with it");
    }
    if (route === "request" && matchesFrame(message, kind("trickle", KEEPALIVE))) {
      throw new InvalidMessage("shape", "it is acknowledged, and has no other reply: send it with /send");
    }
    return encoded;
  },
  refuses: (reply) => matchesFrame(reply, kind("error")),
};

/**
 * The connection has one session, whose id goes into every message. Callers attach to plugins, and events of their
 * handles are messages.
 */
export const janus: Dialect<"token" | "password"> = {
  purpose: "Janus, a WebRTC server",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:8188",
    "    protocol:",
    "      preset: janus",
    '      # password: "${JANUS_SECRET}"   # the api_secret, if Janus has one',
    '      # token: "${JANUS_TOKEN}"       # with token_auth',
  ],
  options: {
    token: "The token of Janus' token_auth, which goes into every message.",
    password: "The api_secret of Janus, which goes into every message.",
  },
  outgoing: { token: true, password: true },
  build: ({ token, password }) => {
    const login = {
      ...(token !== undefined && { token }),
      ...(password !== undefined && { apisecret: password }),
    };
    const added = Object.entries(login).map(([name, value]) => [`/${name}`, value]);
    return {
      protocol,
      subprotocols: ["janus-protocol"],
      greeting: [
        {
          send: { janus: CREATE, transaction: CREATE, ...login },
          expect: {
            match: { "/janus": "success", [TRANSACTION]: CREATE },
            reject: { match: { "/janus": "error", [TRANSACTION]: CREATE } },
            within: STEP_MS,
          },
        },
      ],
      capture: [
        {
          when: { ...kind("success"), has: ["/data/id"], lacks: ["/session_id"] },
          values: { session: "/data/id" },
          secret: true,
        },
      ],
      add: { "/session_id": "${conn:session}", ...Object.fromEntries(added) },
      heartbeat: {
        send: { janus: KEEPALIVE, session_id: "${conn:session}", transaction: KEEPALIVE, ...login },
        every: KEEPALIVE_MS,
        expect: { match: { [TRANSACTION]: KEEPALIVE } },
        within: ACKNOWLEDGED_MS,
      },
      rotate: { on: kind("timeout"), drain: DRAIN_MS },
    };
  },
};
