/** The places that take a condition: each of them gives it the same meaning. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { check, dotted } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { nothingCaptured } from "../../src/core/connection/captured-values.ts";
import { matchStep, type StepMatch } from "../../src/core/connection/greeting.ts";
import { NO_TRAFFIC } from "../../src/core/connection/liveness.ts";
import { step } from "../../src/core/connection/session.ts";
import { newSession, type SessionContext } from "../../src/core/connection/session-state.ts";
import { MAIN_JOURNAL } from "../../src/core/messages/journal.ts";
import { Subscriptions } from "../../src/core/messages/subscriptions.ts";
import { withAnswers } from "../../src/protocols/answers.ts";
import { type Condition, matchesFrame } from "../../src/protocols/condition.ts";
import { json } from "../../src/protocols/json.ts";
import { isJson } from "../../src/protocols/json-message.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import type { FromThread } from "../../src/sidecar/contract.ts";
import { Journals } from "../../src/sidecar/thread/journals.ts";
import type { AnsweringOptions } from "./answering-json.ts";

await preparePatterns({ text: "" });

const parse = (settings: object) => upstreamSchema.parse({ url: "wss://example.org/", ...settings });

function problemsOf(settings: object): readonly string[] {
  const checked = check(upstreamSchema, { url: "wss://example.org/", ...settings });
  return "problems" in checked ? checked.problems.map(({ path, what }) => `${dotted(path)}: ${what}`) : [];
}

/** The type of a frame in the `json` protocol of these options, which come through the configuration. */
function decoded(options: AnsweringOptions, frame: string): string {
  const { protocol } = parse({ protocol: { preset: "json", ...options } });
  assert.ok(typeof protocol === "object" && protocol.preset === "json");
  return withAnswers(json(protocol), protocol.answers).decode(frame).type;
}

/** `members` of a JSON object, in a frame that has our id, or in one that has none. */
const withId = (members: string) => `{"id":7${members && `,${members}`}}`;
const without = (members: string) => `{${members}}`;

/** The verdict of a greeting's step on a frame. */
function verdictOf(greetingStep: object, frame: string): StepMatch {
  const expect = parse({ greeting: [greetingStep] }).greeting[0]?.expect;
  assert.ok(expect);
  return matchStep({ expect }, frame);
}

/** Reports whether a webhook with this filter gets a frame. */
function isPushed(when: Condition, frame: string): boolean {
  const [webhook] = parse({ webhooks: [{ url: "http://127.0.0.1/", when }] }).webhooks;
  assert.ok(webhook);
  const posted: FromThread[] = [];
  const journals = new Journals(
    "u",
    { count: 10, bytes: 1_000 },
    (message) => posted.push(message),
    undefined,
    (work) => work(),
  );
  journals.open(MAIN_JOURNAL, { epoch: "e", former: [] });
  journals.append(MAIN_JOURNAL, frame, isJson(frame) ? "json" : "text");
  const read = { type: "read", upstream: "u", seq: 1, journal: MAIN_JOURNAL, after: "earliest", limit: 10 } as const;
  journals.read({ ...read, where: [], when: webhook.when, wait: false });
  const [message] = posted;
  assert.ok(message?.type === "page" && typeof message.page === "object");
  return message.page.entries.length > 0;
}

/** Reports whether the heartbeat that expects `condition` takes a frame for its reply. */
function isHeartbeatReply(condition: Condition, frame: string): boolean {
  const settings = parse({ keepalive: { ping: "20s", heartbeat: { send: "B", every: "1s", expect: condition } } });
  const context: SessionContext = {
    now: 0,
    lastActivityAt: 0,
    traffic: NO_TRAFFIC,
    random: 0,
    proof: "p",
    secrets: [],
    captured: nothingCaptured,
    canResume: false,
    settings,
  };
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
  return all.message(frame, context, isJson(frame)) !== undefined;
}

/** Each reports whether a frame with these members meets the condition, as seen from outside. */
const places: Readonly<Record<string, (condition: Condition, members: string) => boolean>> = {
  reply: (reply, members) => decoded({ reply }, withId(members)) === "reply",
  skip: (condition, members) => decoded({ skip: [condition] }, withId(members)) === "progress",
  final: (condition, members) => decoded({ final: [condition] }, withId(members)) === "reply",
  errors: (when, members) => decoded({ errors: { when, do: "fail_oldest" } }, without(members)) === "error",
  answers: (when, members) => decoded({ answers: [{ when, send: "A" }] }, without(members)) === "answer",
  greeting(condition, members) {
    return verdictOf({ expect: condition }, without(members)) === "matched";
  },
  "a greeting's reject": (reject, members) =>
    verdictOf({ expect: { match: {} }, reject }, without(members)) === "rejected",
  heartbeat: (condition, members) => isHeartbeatReply(condition, without(members)),
  rotation(condition, members) {
    const { rotate } = parse({ reconnect: { rotate: { on: condition } } }).reconnect;
    assert.ok(rotate?.on);
    return matchesFrame(without(members), rotate.on);
  },
  subscription: (condition, members) => isOfSubscription(condition, without(members)),
  webhook: (condition, members) => isPushed(condition, without(members)),
  any: (condition, members) => matchesFrame(without(members), { any: [NEVER, condition] }),
  all: (condition, members) => matchesFrame(without(members), { all: [{ lacks: ["/never"] }, condition] }),
  not: (condition, members) => !matchesFrame(without(members), { not: condition }),
};

const NEVER: Condition = { has: ["/never"] };

/** Forms of conditions, with frames that are JSON objects. */
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
  [{ text: '"a": ?1' }, '"a":1', true],
  [{ text: '"a": ?1' }, '"b":1', false],
  [{ text: "a", match: { "/b": 1 } }, '"a":0,"b":1', true],
  [{ text: "a", match: { "/b": 1 } }, '"a":0,"b":2', false],
  [{ text: '"a":(?<n>\\d+)', match: { $n: "12", "/b": 1 } }, '"a":12,"b":1', true],
  [{ text: '"a":(?<n>\\d+)', match: { $n: "12", "/b": 1 } }, '"a":1,"b":1', false],
  [{ text: '"a":(?<n>\\d+)', match: { $n: "12", "/b": 1 } }, '"a":12,"b":2', false],
  [{ any: [{ match: { "/a": 1 } }, { has: ["/b"] }] }, '"b":0', true],
  [{ any: [{ match: { "/a": 1 } }, { has: ["/b"] }] }, '"a":2', false],
  [{ all: [{ match: { "/a": 1 } }, { has: ["/b"] }] }, '"a":1,"b":0', true],
  [{ all: [{ match: { "/a": 1 } }, { has: ["/b"] }] }, '"a":1', false],
  [{ not: { match: { "/a": 1 } } }, '"a":2', true],
  [{ not: { match: { "/a": 1 } } }, '"a":1', false],
  [{ has: ["/a"], not: { any: [{ has: ["/b"] }, { has: ["/c"] }] } }, '"a":0', true],
  [{ has: ["/a"], not: { any: [{ has: ["/b"] }, { has: ["/c"] }] } }, '"a":0,"c":0', false],
];

/** Forms of conditions, with frames that are no JSON. */
const texts: readonly (readonly [condition: Condition, frame: string, expected: boolean])[] = [
  [{ text: "^pong" }, "pong 7", true],
  [{ text: "^pong" }, "ping 7", false],
  [{ text: "^(?i:ERR)" }, "err: no", true],
  [{ lacks: ["/a"] }, "pong", false],
  [{ not: { has: ["/a"] } }, "pong", true],
  [{ any: [{ has: ["/a"] }, { text: "^pong$" }] }, "pong", true],
  [{ all: [{ text: "^p" }, { text: "g$" }] }, "pong", true],
  [{ all: [{ text: "^p" }, { text: "g$" }] }, "pon", false],
  [{ text: "^pong (?<n>\\w+)", match: { $n: "7" } }, "pong 7", true],
  [{ text: "^pong (?<n>\\w+)", match: { $n: "7" } }, "pong 77", false],
  [{ text: "^pong(?: (?<n>\\w+))?", has: ["$n"] }, "pong 7", true],
  [{ text: "^pong(?: (?<n>\\w+))?", has: ["$n"] }, "pong", false],
  [{ text: "^pong(?: (?<n>\\w+))?", lacks: ["$n"] }, "pong", true],
  [{ text: "^pong(?: (?<n>\\w+))?", lacks: ["$n"] }, "pong 7", false],
  [{ text: "^pong(?: (?<n>\\w+))?", lacks: ["$n"] }, "ping", false],
  [{ text: "^pong (?<n>\\w*)", has: ["$n"] }, "pong ", true],
  [{ text: "^pong (?<n>x+)", has: ["$n"] }, `pong ${"x".repeat(2_000)}`, false],
  [{ text: "^pong (?<n>x+?)", has: ["$n"] }, `pong ${"x".repeat(2_000)}`, true],
];

/** The places that look at frames without an id: each reports whether the frame meets the condition. */
const placesOfText: Readonly<Record<string, (condition: Condition, frame: string) => boolean>> = {
  errors: (when, frame) => decoded({ errors: { when, do: "fail_oldest" } }, frame) === "error",
  answers: (when, frame) => decoded({ answers: [{ when, send: "A" }] }, frame) === "answer",
  greeting: (expect, frame) => verdictOf({ expect }, frame) === "matched",
  "a greeting's reject": (reject, frame) => verdictOf({ expect: { match: {} }, reject }, frame) === "rejected",
  heartbeat: isHeartbeatReply,
  rotation: (condition, frame) => matchesFrame(frame, condition),
  subscription: isOfSubscription,
  webhook: isPushed,
};

for (const [place, meets] of Object.entries(placesOfText)) {
  test(`a condition of ${place} looks at frames that are not JSON`, () => {
    for (const [condition, frame, expected] of texts) {
      assert.equal(meets(condition, frame), expected, `${JSON.stringify(condition)} and ${frame}`);
    }
  });
}

for (const [place, meets] of Object.entries(places)) {
  test(`a condition of ${place} has the meaning that it has everywhere`, () => {
    for (const [condition, members, expected] of table) {
      assert.equal(meets(condition, members), expected, `${JSON.stringify(condition)} and {${members}}`);
    }
  });
}

test("the short form of a greeting's reject has the same meaning", () => {
  for (const [{ match, ...rest }, members, expected] of table) {
    if (!match || Object.keys(rest).length > 0) continue;
    const verdict = verdictOf({ expect: { has: ["/never"], reject: match } }, without(members));
    assert.equal(verdict, expected ? "rejected" : "other");
  }
});

test("a greeting alone may expect any frame, JSON or not", () => {
  for (const frame of ["{}", "[]", "hello", ""]) assert.equal(verdictOf({ expect: { match: {} } }, frame), "matched");
  assert.equal(verdictOf({ expect: { match: {} }, reject: { text: "no" } }, "no"), "rejected");
});

/** What the configuration has at each place, around a condition; and the key that an error names. */
const around: Readonly<Record<string, readonly [key: string, settings: (condition: unknown) => object]>> = {
  reply: ["protocol.reply", (reply) => ({ protocol: { preset: "json", reply } })],
  skip: ["protocol.skip.0", (condition) => ({ protocol: { preset: "json", skip: [condition] } })],
  final: ["protocol.final.0", (condition) => ({ protocol: { preset: "json", final: [condition] } })],
  errors: ["protocol.errors.when", (when) => ({ protocol: { preset: "json", errors: { when, do: "fail_all" } } })],
  answers: ["protocol.answers.0.when", (when) => ({ protocol: { preset: "json", answers: [{ when, send: "A" }] } })],
  "a greeting's reject": ["greeting.0.reject", (reject) => ({ greeting: [{ expect: { has: ["/a"] }, reject }] })],
  webhook: ["webhooks.0.when", (when) => ({ webhooks: [{ url: "http://127.0.0.1/", when }] })],
  "another condition": ["reconnect.rotate.on.not", (not) => ({ reconnect: { rotate: { on: { not } } } })],
  heartbeat: [
    "keepalive.heartbeat.expect",
    (condition) => ({ keepalive: { heartbeat: { send: "B", expect: condition } } }),
  ],
  rotation: ["reconnect.rotate.on", (condition) => ({ reconnect: { rotate: { on: condition } } })],
};

for (const [place, [key, settings]] of Object.entries(around)) {
  test(`an empty condition of ${place} is refused by its key`, () => {
    const problems = (condition: object) => problemsOf(settings(condition));
    assert.deepEqual(problems({}), [`${key}: must say what to look at: match, has, lacks, text, any, all or not`]);
    assert.deepEqual(problems({ match: {} }), [`${key}.match: must have at least one value`]);
    assert.deepEqual(problems({ has: [] }), [`${key}.has: must have at least one place`]);
    assert.deepEqual(problems({ lacks: [] }), [`${key}.lacks: must have at least one place`]);
    assert.deepEqual(problems({ text: "" }), [`${key}.text: must not be empty`]);
    assert.deepEqual(problems({ text: "(" }), [`${key}.text: must be an RE2 pattern: missing closing )`]);
    assert.deepEqual(problems({ any: [] }), [`${key}.any: must have at least one condition`]);
    assert.deepEqual(problems({ all: [{ any: [] }] }), [`${key}.all.0.any: must have at least one condition`]);
  });
}

test("an empty condition of a subscription is refused by its key, and so are empty values to reject", () => {
  const subscribed = (condition: object) => problemsOf({ subscriptions: { a: { request: "SUB", ...condition } } });
  assert.deepEqual(subscribed({}), [
    "subscriptions.a.match: is missing: a condition for its messages (match, has, text, any, …)",
  ]);
  assert.deepEqual(subscribed({ match: {} }), ["subscriptions.a.match: must have at least one value"]);
  assert.deepEqual(subscribed({ has: [] }), ["subscriptions.a.has: must have at least one place"]);
  assert.deepEqual(problemsOf({ greeting: [{ expect: {} }] }), [
    "greeting.0.expect: must say what to look at: match, has, lacks, text, any, all or not",
  ]);
  assert.deepEqual(problemsOf({ greeting: [{ expect: { has: ["/a"], reject: {} } }] }), [
    "greeting.0.expect.reject: must have at least one value",
  ]);
});

test("a pattern is short for a condition with only a text, wherever the configuration has one", () => {
  const pattern = "^p(?<n>o)ng";
  for (const [place, [key, settings]] of Object.entries(around)) {
    const given = (condition: unknown) => parse(settings(condition));
    assert.deepEqual(given(pattern), given({ text: pattern }), place);
    assert.deepEqual(problemsOf(settings("(")), [`${key}: must be an RE2 pattern: missing closing )`]);
    assert.deepEqual(problemsOf(settings(5)), [`${key}: must be a condition, or a pattern of the frame's text`]);
  }
  assert.deepEqual(parse({ greeting: [{ expect: pattern }] }), parse({ greeting: [{ expect: { text: pattern } }] }));
  const subscribed = (agreed: unknown, refused: unknown) =>
    parse({ subscriptions: { a: { request: "SUB", text: "x", agreed, refused, any: [refused], not: agreed } } });
  assert.deepEqual(subscribed("^a", "^b"), subscribed({ text: "^a" }, { text: "^b" }));
});

test("a group that the pattern beside it has not is refused by its key", () => {
  const on = (condition: object) => problemsOf({ reconnect: { rotate: { on: condition } } });
  assert.deepEqual(on({ has: ["$n"] }), [
    "reconnect.rotate.on.has.0: is a group of a pattern, and there is none beside it (text)",
  ]);
  assert.deepEqual(on({ text: "(?<m>.)", lacks: ["/a", "$n"], match: { $n: "1", $m: "2" } }), [
    "reconnect.rotate.on.match.…: is no group of the pattern: write (?<n>…)",
    "reconnect.rotate.on.lacks.1: is no group of the pattern: write (?<n>…)",
  ]);
  assert.deepEqual(on({ text: "(?<m>.)", match: { $m: 2 } }), [
    "reconnect.rotate.on.match.…: must be a text: a group is one",
  ]);
  assert.deepEqual(on({ text: "(?<m>.)", has: ["m"] }), [
    "reconnect.rotate.on.has.0: must be a JSON pointer, such as /id, or the name of a group, such as $id",
  ]);
  assert.deepEqual(problemsOf({ capture: [{ when: "(?<m>.)", values: { a: "$m", b: "$n" } }] }), [
    "capture.0.values.b: is no group of the pattern: write (?<n>…)",
  ]);
  const subscribed = (order: object) => problemsOf({ subscriptions: { a: { request: "S", text: "x", ...order } } });
  assert.deepEqual(subscribed({ id: "$n" }), ["subscriptions.a.id: is a group of a pattern, and agreed has none"]);
  assert.deepEqual(subscribed({ id: "$n", agreed: ["^a", "^b(?<n>.)"] }), []);
  const address = { when: "^move (?<to>.*)", at: "$too", hosts: ["a.example"] };
  assert.deepEqual(problemsOf({ reconnect: { to_address: address } }), [
    "reconnect.to_address.at: is no group of the pattern: write (?<too>…)",
  ]);
});
