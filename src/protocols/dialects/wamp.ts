/** Dialect of WAMP 2, basic profile and progressive results (https://wamp-proto.org/wamp_latest_ietf.html). */

import { withAnswers } from "../answers.ts";
import { type Condition, matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { json } from "../json.ts";
import { withLoneFrames } from "../lone-frame.ts";
import { DRAIN_MS, type Expectation, FAREWELL_STEP_MS, type GreetingStep, STEP_MS } from "../preset.ts";
import { InvalidMessage, type Protocol } from "../protocol.ts";

/** Kinds of messages: the first element of each. */
const HELLO = 1;
const WELCOME = 2;
const ABORT = 3;
const CHALLENGE = 4;
const AUTHENTICATE = 5;
const GOODBYE = 6;
const ERROR = 8;
const PUBLISH = 16;
const CALL = 48;
const CANCEL = 49;
const RESULT = 50;
/** PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER. */
const REQUESTS = [PUBLISH, 32, 34, CALL, 64, 66];
/** PUBLISHED, SUBSCRIBED, UNSUBSCRIBED, RESULT, REGISTERED, UNREGISTERED. */
const RESULTS = [17, 33, 35, RESULT, 65, 67];

const kind = (...kinds: readonly number[]): Condition => ({ any: kinds.map((one) => ({ match: { "/0": one } })) });

const unacknowledged: Condition = { ...kind(PUBLISH), not: { match: { "/2/acknowledge": true } } };

/** The answer to a GOODBYE, as the specification names it and as its drafts did. */
const LEFT = ["wamp.close.goodbye_and_out", "wamp.error.goodbye_and_out"];

const parting: Condition = { ...kind(GOODBYE), not: { any: LEFT.map((reason) => ({ match: { "/2": reason } })) } };

const ROLES = {
  caller: { features: { progressive_call_results: true } },
  callee: {},
  publisher: {},
  subscriber: {},
};

/**
 * An invocation is a message; its YIELD or ERROR carries the router's id, and goes out as it is
 * written. The side that says goodbye first gets an answer, and then the session is over.
 */
export const wamp: Dialect<"realm" | "user" | "password"> = {
  purpose: "WAMP 2 routers, such as Crossbar.io",
  start: [
    "upstreams:",
    "  default:",
    "    url: wss://example.org/ws",
    "    protocol:",
    "      preset: wamp",
    "      realm: realm1",
    "      # user: me   # with both, the login by ticket",
    '      # password: "${TICKET}"',
    "    # subscriptions:",
    "    #   ticks:",
    "    #     request: [32, null, {}, org.example.ticks]",
    "    #     id: /2",
    "    #     match: { /0: 36, /1: $id }",
    "    #     unsubscribe: [34, null, $id]",
  ],
  options: {
    realm: 'The realm to join; by default "realm1".',
    user: "The authid; by default the router chooses one.",
    password: "The ticket with which the connection logs in.",
  },
  outgoing: { realm: true, user: true, password: true },
  build: ({ realm = "realm1", user, password }) => {
    const protocol = json(
      {
        id: { out: { at: "/1", when: kind(...REQUESTS) }, in: [{ at: "/2", when: kind(ERROR) }, "/1"] },
        idsAlways: true,
        reply: kind(ERROR, ...RESULTS),
        final: [{ not: { match: { "/0": RESULT, "/2/progress": true } } }],
        collect: {},
      },
      "wamp",
    );
    const requests: Protocol = {
      ...protocol,
      encode(message, id, route) {
        if (route === "request" && matchesFrame(message, unacknowledged)) {
          const why = 'a PUBLISH gets a reply only with { "acknowledge": true } in its options: else use /send';
          throw new InvalidMessage("shape", why);
        }
        return protocol.encode(message, id, route);
      },
      cancel: (id) => JSON.stringify([CANCEL, id, {}]),
      refuses: (reply) => matchesFrame(reply, kind(ERROR)),
      endsSession: (message) => matchesFrame(message, kind(GOODBYE)),
    };
    return {
      protocol: withAnswers(withLoneFrames(requests), [{ when: parting, send: [GOODBYE, {}, LEFT[0]], keep: true }]),
      subprotocols: ["wamp.2.json"],
      greeting: greeting(realm, user, password),
      farewell: [
        { send: [GOODBYE, {}, "wamp.close.close_realm"], expect: { ...kind(GOODBYE), within: FAREWELL_STEP_MS } },
      ],
      rotate: { on: kind(GOODBYE), drain: DRAIN_MS },
    };
  },
};

function greeting(realm: string, user?: string, password?: string): readonly GreetingStep[] {
  const identity = { ...(user && { authid: user }), ...(password && { authmethods: ["ticket"] }) };
  const expected = (one: number): Expectation => ({
    ...kind(one),
    reject: { ...kind(ABORT) },
    within: STEP_MS,
  });
  const hello = [HELLO, realm, { roles: ROLES, ...identity }];
  if (password === undefined) return [{ send: hello, expect: expected(WELCOME) }];
  return [
    { send: hello, expect: expected(CHALLENGE) },
    { send: [AUTHENTICATE, password, {}], expect: expected(WELCOME) },
  ];
}
