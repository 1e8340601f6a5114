/** The places of placeholders in an upstream's settings. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { check, dotted } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";

await preparePatterns({ text: "" });

/** Settings in which nothing is resolved, and the key that the error names. */
const misplaced: readonly (readonly [key: string, settings: object])[] = [
  ["subprotocols.0", { subprotocols: ["${file:/run/a}"] }],
  ["greeting.0.expect.text", { greeting: [{ expect: { text: "${file:/run/a}" } }] }],
  [
    "keepalive.heartbeat.expect.match./a",
    { keepalive: { heartbeat: { send: 1, expect: { match: { "/a": "${file:/run/a}" } } } } },
  ],
  [
    "protocol.answers.0.when.match./a",
    { protocol: { preset: "json", answers: [{ when: { match: { "/a": "$${file:/a}" } }, send: 1 }] } },
  ],
  ["reconnect.rotate.on.match./a", { reconnect: { rotate: { on: { match: { "/a": "${credentials:a}" } } } } }],
  ["subscriptions.s.match./a", { subscriptions: { s: { request: {}, match: { "/a": "${file:/run/a}" } } } }],
  ["subscriptions.s.request", { subscriptions: { s: { request: { "${file:/run/a}": 1 }, has: ["/a"] } } }],
  ["proxy.username", { proxy: "http://${param:a}:b@127.0.0.1:1" }],
  ["tls.passphrase", { tls: { passphrase: "${param:a}" } }],
  ["webhooks.0.secret", { webhooks: [{ url: "http://127.0.0.1/", secret: "${credentials:a}" }] }],
];

function problemsOf(settings: object): readonly string[] {
  const checked = check(upstreamSchema, { url: "ws://127.0.0.1:1/", credentials: "./c.js", ...settings });
  return "problems" in checked ? checked.problems.map(({ path, what }) => `${dotted(path)}: ${what}`) : [];
}

test("a placeholder that nothing would resolve is refused by its key", () => {
  for (const [key, settings] of misplaced) {
    const problems = problemsOf(settings);
    assert.ok(
      problems.some((problem) => problem.startsWith(`${key}: `) && problem.includes("is not resolved")),
      `${key}: ${problems}`,
    );
  }
});

test("a placeholder is allowed in every text that goes out", () => {
  const value = "${file:/run/a} and ${credentials:a}";
  const settings = {
    headers: { "x-a": value },
    greeting: [{ send: { a: [value] }, expect: { match: { "/a": value } }, reject: { match: { "/b": value } } }],
    keepalive: { heartbeat: { send: value } },
    protocol: { preset: "json", answers: [{ when: { has: ["/a"] }, send: { a: value } }] },
    subscriptions: { s: { request: { a: [value] }, unsubscribe: { a: value }, has: ["/a"] } },
    webhooks: [{ url: "http://127.0.0.1/?${file:/run/a}", secret: "${file:/run/a}", headers: { a: "${file:/run/a}" } }],
  };
  assert.deepEqual(problemsOf(settings), []);
  assert.deepEqual(problemsOf({ protocol: { preset: "home-assistant", token: value } }), []);
});

test("credentials in any text that goes out need the module", () => {
  const fromModule = "${credentials:a}";
  for (const settings of [
    { keepalive: { heartbeat: { send: fromModule } } },
    { protocol: { preset: "home-assistant", token: fromModule } },
    { subscriptions: { s: { request: fromModule, has: ["/a"] } } },
  ]) {
    const [problem] = problemsOf({ ...settings, credentials: undefined });
    assert.match(problem ?? "", /^credentials: is missing/);
  }
});
