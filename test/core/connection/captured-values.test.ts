/** Captured values: what frames bring, what the next connection begins with, and what goes out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  filledHandshake,
  filledJson,
  filledMessage,
  filledText,
  ValueMissing,
} from "../../../src/core/connection/captured-texts.ts";
import {
  type Captured,
  canResume,
  capture,
  isResuming,
  nothingCaptured,
  onAttempt,
  onEnded,
  VALUE_MAX,
  valuesOf,
  withoutKept,
} from "../../../src/core/connection/captured-values.ts";
import { keepaliveWith } from "../../../src/core/connection/greeting.ts";
import { capturePlan } from "../../../src/protocols/capture-plan.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";

await preparePatterns({ text: "" });

const plan = capturePlan({
  url: "wss://example.org/",
  headers: {},
  greeting: [{ first: false, send: { session: "${conn:session}", seq: "${conn:seq}" } }],
  capture: [
    { when: { has: ["/s"] }, values: { seq: "/s" }, keep: true },
    { when: { has: ["/id"] }, values: { session: "/id" }, keep: true, secret: true },
    { when: { has: ["/n"] }, values: { nonce: "/n" } },
    { when: { match: { "/over": true } }, values: { session: null } },
  ],
});

const take = (captured: Captured, connection: number, ...frames: unknown[]): Captured =>
  frames.reduce<Captured>((state, frame) => capture(state, plan, connection, JSON.stringify(frame)), captured);

const entries = (captured: Captured, connection: number) => Object.fromEntries(valuesOf(captured, connection));

test("a value is taken as it was written, and null leaves the one before", () => {
  const begun = onAttempt(nothingCaptured, plan, 1);
  const big = capture(begun, plan, 1, '{"s":90071992547409931,"n":"a\\u0062"}');
  assert.deepEqual(entries(big, 1), { seq: "90071992547409931", nonce: '"a\\u0062"' });
  assert.deepEqual(entries(take(big, 1, { s: null }, { s: [1] }, { s: "x".repeat(VALUE_MAX) }, 7), 1), entries(big, 1));
  assert.match(take(big, 1, { s: {} }).faults.get("seq") ?? "", /an object at \/s/);
  assert.equal(capture(big, plan, 1, "no JSON"), big);
  assert.equal(take(big, 1, { other: 1 }), big);
});

test("a group of the pattern is taken as a text; one that took no part leaves the value as it was", () => {
  const lines = capturePlan({
    url: "wss://example.org/",
    headers: {},
    greeting: [],
    capture: [
      { when: { text: "^HELLO (?<name>\\w+)(?: every=(?<every>\\d+))?" }, values: { name: "$name", every: "$every" } },
    ],
  });
  const hear = (captured: Captured, text: string) => capture(captured, lines, 1, text);
  const first = hear(onAttempt(nothingCaptured, lines, 1), "HELLO 007 every=250");
  assert.deepEqual(entries(first, 1), { name: '"007"', every: '"250"' });
  assert.equal(filledMessage({ as: "${conn:name}" }, valuesOf(first, 1)), '{"as":"007"}');
  assert.equal(filledMessage("NICK ${conn:name}", valuesOf(first, 1)), "NICK 007");
  const heartbeat = { send: "BEAT", every: { value: "every", unitMs: 1 }, within: 1 };
  const keepalive = { ping: null, pong_within: 1, silence: null, heartbeat };
  assert.equal(keepaliveWith(keepalive, valuesOf(first, 1)).heartbeat?.every, 250);
  assert.deepEqual(entries(hear(first, "HELLO b"), 1), { name: '"b"', every: '"250"' });
  assert.equal(hear(first, "BYE c"), first);
  assert.equal(hear(first, `HELLO ${"x".repeat(2_000)}`), first, "what may be cut is not taken");
});

test("the next connection begins with kept values alone, and resumes if it has all that it needs", () => {
  const first = take(onAttempt(nothingCaptured, plan, 1), 1, { s: 1, n: "x" });
  assert.equal(canResume(first, plan), false);
  const both = take(first, 1, { id: "abcd" });
  assert.equal(canResume(both, plan), true);
  const second = onAttempt(onEnded(both, 1), plan, 2);
  assert.deepEqual(entries(second, 2), { seq: "1", session: '"abcd"' });
  assert.ok(isResuming(second, 2));
  assert.deepEqual(entries(second, 1), {});
  assert.equal(canResume(take(second, 2, { over: true }), plan), false);
  assert.equal(canResume(withoutKept(second), plan), false);
  assert.equal(isResuming(onAttempt(withoutKept(second), plan, 3), 3), false);
});

test("an older connection changes nothing that a newer one has kept", () => {
  const old = take(onAttempt(nothingCaptured, plan, 1), 1, { s: 1 });
  const both = take(onAttempt(old, plan, 2), 2, { s: 7 });
  assert.equal(take(both, 1, { s: 2 }).kept.get("seq"), "7");
  assert.equal(take(both, 2, { s: 8 }).kept.get("seq"), "8");
});

test("former secrets are remembered for masking, within a bound", () => {
  let state = onAttempt(nothingCaptured, plan, 1);
  for (let n = 0; n < 1_000; n++) state = take(state, 1, { id: `secret-${n}` });
  assert.equal(state.secrets.length, 64);
  assert.equal(state.secrets.at(-1), "secret-999");
});

test("a text that is one placeholder becomes the value in its own type, and any other has it as a part", () => {
  const values = new Map([
    ["seq", "90071992547409931"],
    ["name", JSON.stringify('a"b${conn:seq}')],
  ]);
  assert.equal(
    filledMessage({ d: "${conn:seq}", t: "n-${conn:seq}" }, values),
    '{"d":90071992547409931,"t":"n-90071992547409931"}',
  );
  assert.deepEqual(JSON.parse(filledMessage({ d: "<${conn:name}>", e: "$${conn:name}" }, values)), {
    d: '<a"b${conn:seq}>',
    e: "${conn:name}",
  });
  assert.equal(filledText("GET ${conn:seq} ${file:/a}", values), "GET 90071992547409931 ${file:/a}");
  assert.throws(() => filledMessage({ d: "${conn:other}" }, values), ValueMissing);
});

test("JSON stays JSON whatever a value holds, and everything else in it stays as it is", () => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  fc.assert(
    fc.property(scalar, fc.json(), (value, other) => {
      const values = new Map([["v", JSON.stringify(value)]]);
      const filled = JSON.parse(filledJson(`{"a":"\${conn:v}","b":"x\${conn:v}","c":${other}}`, values));
      assert.deepEqual(filled, { a: value, b: `x${value}`, c: JSON.parse(other) });
    }),
  );
});

test("parameters and headers without their value are left out, and values are encoded", () => {
  const handshake = { url: "wss://a/p?v=1&resume=${conn:id}&x", headers: { a: "b", token: "t ${conn:id}" } };
  assert.deepEqual(filledHandshake(handshake, new Map()), { url: "wss://a/p?v=1&x", headers: { a: "b" } });
  assert.deepEqual(filledHandshake(handshake, new Map([["id", '"a&b=c#"']])), {
    url: "wss://a/p?v=1&resume=a%26b%3Dc%23&x",
    headers: { a: "b", token: "t a&b=c#" },
  });
  const alone = { url: "wss://a/?r=${conn:id}", headers: {} };
  assert.equal(filledHandshake(alone, new Map()).url, "wss://a/");
});

test("a heartbeat waits for its values, and its interval has bounds", () => {
  const heartbeat = { send: { d: "${conn:seq}" }, every: { value: "interval", unitMs: 1 }, within: 1_000 };
  const everyOf = (values: Record<string, string>) =>
    keepaliveWith({ ping: null, pong_within: 1, silence: null, heartbeat }, new Map(Object.entries(values))).heartbeat
      ?.every;
  assert.equal(everyOf({ interval: "41250" }), Number.POSITIVE_INFINITY);
  assert.equal(everyOf({ interval: "41250", seq: "1" }), 41_250);
  assert.equal(everyOf({ interval: '"500"', seq: "1" }), 500);
  assert.equal(everyOf({ interval: "0.001", seq: "1" }), 100);
  assert.equal(everyOf({ interval: "1e99", seq: "1" }), 2 ** 31 - 1);
  for (const interval of ["0", "-5", '"soon"', "true"].slice(0, 3))
    assert.equal(everyOf({ interval, seq: "1" }), Number.POSITIVE_INFINITY);
});
