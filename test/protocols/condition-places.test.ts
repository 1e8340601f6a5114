/** The places that take a condition: each of them gives it the same meaning. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { check, dotted } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/schema.ts";
import { matchStep } from "../../src/core/connection/greeting.ts";
import { NO_TRAFFIC } from "../../src/core/connection/liveness.ts";
import { newSession, type SessionContext, step } from "../../src/core/connection/session.ts";
import { Subscriptions } from "../../src/core/messages/subscriptions.ts";
import { type Condition, matchesFrame } from "../../src/protocols/condition.ts";
import { type JsonOptions, json } from "../../src/protocols/json.ts";

const parse = (settings: object) => upstreamSchema.parse({ url: "wss://example.org/", ...settings });

function problemsOf(settings: object): readonly string[] {
  const checked = check(upstreamSchema, { url: "wss://example.org/", ...settings });
  return "problems" in checked ? checked.problems.map(({ path, what }) => `${dotted(path)}: ${what}`) : [];
}

/** The type of a frame in the `json` protocol of these options, which come through the configuration. */
function decoded(options: JsonOptions, frame: string): string {
  const { protocol } = parse({ protocol: { preset: "json", ...options } });
  assert.ok(typeof protocol === "object" && protocol.preset === "json");
  return json(protocol).decode(frame).type;
}

/** `members` of a JSON object, in a frame that has our id, or in one that has none. */
const withId = (members: string) => `{"id":7${members && `,${members}`}}`;
const without = (members: string) => `{${members}}`;

/** Reports whether the heartbeat that expects `condition` takes a frame for its reply. */
function isHeartbeatReply(condition: Condition, frame: string): boolean {
  const settings = parse({ keepalive: { ping: "20s", heartbeat: { send: "B", every: "1s", expect: condition } } });
  const context: SessionContext = { now: 0, lastActivityAt: 0, traffic: NO_TRAFFIC, random: 0, proof: "p", settings };
  let session = step(newSession, { type: "start" }, context).session;
  const { connection } = session;
  session = step(session, { type: "opened", connection }, context).session;
  session = step(session, { type: "timer" }, { ...context, now: 1_000 }).session;
  const { effects } = step(session, { type: "frame", connection, frame }, { ...context, now: 1_001 });
  return !effects.some(({ type }) => type === "frame");
}

function isOfSubscription(condition: Condition, frame: string): boolean {
  const settings = parse({ subscriptions: { a: { request: "SUB", ...condition } } }).subscriptions.a;
  assert.ok(settings);
  const all = new Subscriptions();
  all.connected();
  all.add("a", settings);
  const agreed = { type: "reply", body: "{}", queueMs: 0, upstreamMs: 0 } as const;
  const context = { now: 0, random: 0, retry: { from: 1, to: 1, stable: 1 } };
  all.settled(1, agreed, context);
  return all.message(frame, context) !== undefined;
}

/** Each reports whether a frame with these members meets the condition, as seen from outside. */
const places: Readonly<Record<string, (condition: Condition, members: string) => boolean>> = {
  reply: (reply, members) => decoded({ reply }, withId(members)) === "reply",
  skip: (condition, members) => decoded({ skip: [condition] }, withId(members)) === "progress",
  final: (condition, members) => decoded({ final: [condition] }, withId(members)) === "reply",
  errors: (when, members) => decoded({ errors: { when, do: "fail_oldest" } }, without(members)) === "error",
  answers: (when, members) => decoded({ answers: [{ when, send: "A" }] }, without(members)) === "answer",
  greeting(condition, members) {
    const [expectStep] = parse({ greeting: [{ expect: condition }] }).greeting;
    assert.ok(expectStep && "expect" in expectStep);
    return matchStep(expectStep, without(members)) === "matched";
  },
  heartbeat: (condition, members) => isHeartbeatReply(condition, without(members)),
  rotation(condition, members) {
    const { rotate } = parse({ reconnect: { rotate: { on: condition } } }).reconnect;
    assert.ok(rotate?.on);
    return matchesFrame(without(members), rotate.on);
  },
  subscription: (condition, members) => isOfSubscription(condition, without(members)),
};

const table: readonly (readonly [condition: Condition, members: string, expected: boolean])[] = [
  [{ match: { "/type": 5 } }, '"type":5', true],
  [{ match: { "/type": 5 } }, '"type":5.0', true],
  [{ match: { "/type": 5 } }, '"type":"5"', false],
  [{ match: { "/type": "5" } }, '"type":"5"', true],
  [{ match: { "/type": "5" } }, '"type":"\\u0035"', true],
  [{ match: { "/type": "5" } }, '"type":5', false],
  [{ match: { "/type": true } }, '"type":true', true],
  [{ match: { "/type": true } }, '"type":"true"', false],
  [{ match: { "/type": null } }, '"type":null', true],
  [{ match: { "/type": null } }, '"type":"null"', false],
  [{ match: { "/type": null } }, "", false],
  [{ match: { "/type": "a" } }, '"type":["a"]', false],
  [{ match: { "/type": "a" } }, '"type":"a","type":"a"', false],
  [{ match: { "/a~1b/0": "x", "/c": 1 } }, '"a/b":["x"],"c":1', true],
  [{ match: { "/a~1b/0": "x", "/c": 1 } }, '"a/b":["x"],"c":2', false],
  [{ has: ["/a", "/b/c"] }, '"a":null,"b":{"c":0}', true],
  [{ has: ["/a", "/b/c"] }, '"a":null,"b":{}', false],
  [{ has: ["/toString"] }, "", false],
  [{ lacks: ["/a"] }, '"b":1', true],
  [{ lacks: ["/a"] }, '"a":null', false],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '"a":1,"b":1', true],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '"a":1', false],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '"a":1,"b":1,"c":1', false],
];

for (const [place, meets] of Object.entries(places)) {
  test(`a condition of ${place} has the meaning that it has everywhere`, () => {
    for (const [condition, members, expected] of table) {
      assert.equal(meets(condition, members), expected, `${JSON.stringify(condition)} and {${members}}`);
    }
  });
}

test("the values by which a greeting step rejects have the same meaning", () => {
  for (const [{ match, has, lacks }, members, expected] of table) {
    if (!match || has || lacks) continue;
    const [expectStep] = parse({ greeting: [{ expect: { has: ["/never"], reject: match } }] }).greeting;
    assert.ok(expectStep && "expect" in expectStep);
    assert.equal(matchStep(expectStep, without(members)), expected ? "rejected" : "other");
  }
});

/** What the configuration has at each place, around a condition; and the key that an error names. */
const around: Readonly<Record<string, readonly [key: string, settings: (condition: object) => object]>> = {
  reply: ["protocol.reply", (reply) => ({ protocol: { preset: "json", reply } })],
  skip: ["protocol.skip.0", (condition) => ({ protocol: { preset: "json", skip: [condition] } })],
  final: ["protocol.final.0", (condition) => ({ protocol: { preset: "json", final: [condition] } })],
  errors: ["protocol.errors.when", (when) => ({ protocol: { preset: "json", errors: { when, do: "fail_all" } } })],
  answers: ["protocol.answers.0.when", (when) => ({ protocol: { preset: "json", answers: [{ when, send: "A" }] } })],
  greeting: ["greeting.0.expect", (condition) => ({ greeting: [{ expect: condition }] })],
  heartbeat: [
    "keepalive.heartbeat.expect",
    (condition) => ({ keepalive: { heartbeat: { send: "B", expect: condition } } }),
  ],
  rotation: ["reconnect.rotate.on", (condition) => ({ reconnect: { rotate: { on: condition } } })],
};

for (const [place, [key, settings]] of Object.entries(around)) {
  test(`an empty condition of ${place} is refused by its key`, () => {
    const problems = (condition: object) => problemsOf(settings(condition));
    assert.deepEqual(problems({}), [`${key}: must say what to look at: match, has or lacks`]);
    assert.deepEqual(problems({ match: {} }), [`${key}.match: must have at least one value`]);
    assert.deepEqual(problems({ has: [] }), [`${key}.has: must have at least one pointer`]);
    assert.deepEqual(problems({ lacks: [] }), [`${key}.lacks: must have at least one pointer`]);
  });
}

test("an empty condition of a subscription is refused by its key, and so are empty values to reject", () => {
  const subscribed = (condition: object) => problemsOf({ subscriptions: { a: { request: "SUB", ...condition } } });
  assert.deepEqual(subscribed({}), ["subscriptions.a.match: is missing"]);
  assert.deepEqual(subscribed({ match: {} }), ["subscriptions.a.match: must have at least one value"]);
  assert.deepEqual(subscribed({ has: [] }), ["subscriptions.a.has: must have at least one pointer"]);
  assert.deepEqual(problemsOf({ greeting: [{ expect: { has: ["/a"], reject: {} } }] }), [
    "greeting.0.expect.reject: must have at least one value",
  ]);
});
