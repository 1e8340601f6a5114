/** The places of placeholders in an upstream's settings. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { describeConfig } from "../../src/config/describe.ts";
import { loadConfig } from "../../src/config/load.ts";
import { check, dotted } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import type { Dialect } from "../../src/protocols/dialect.ts";
import { DIALECTS } from "../../src/protocols/dialects.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { isSecretName } from "../../src/secrets/secrets.ts";
import { settingsResolver } from "../../src/sidecar/thread/resolve-placeholders.ts";

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

/** The options of each preset that is no dialect which only go out, with a value that is a secret. */
const builtIn = (secret: string): readonly (readonly [preset: string, options: object])[] => [
  ["home-assistant", { token: secret }],
  ["obs", { password: secret }],
  ["graphql-transport-ws", { payload: { authorization: secret } }],
];

test("options of presets that are secrets, or only go out, are filled for each connection, and masked", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-options-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "secret");
  const content = "word-of-the-file";
  await writeFile(file, `${content}\n`);
  const placeholder = `\${file:${file}}`;
  const dialects = Object.entries<Dialect>(DIALECTS).flatMap(([name, { options = {}, outgoing = {} }]) => {
    const names = Object.keys(options);
    const secret = names.filter((option) => isSecretName(option));
    assert.deepEqual(
      secret,
      secret.filter((option) => outgoing[option]),
      `${name}: secrets that are not resolved`,
    );
    const given = names.filter((option) => outgoing[option]);
    return given.map((option) => [name, Object.fromEntries(given.map((each) => [each, placeholder])), option] as const);
  });
  const loaded = await loadConfig({ env: {}, flags: {} });
  assert.ok(dialects.some(([name, , option]) => name === "deribit" && option === "client_secret"));
  for (const [preset, options] of [...builtIn(placeholder), ...dialects]) {
    const settings = { url: "ws://127.0.0.1:1/", protocol: { preset, ...options } };
    assert.deepEqual(problemsOf(settings), [], preset);
    const resolver = settingsResolver("default", upstreamSchema.parse(settings));
    assert.ok(resolver, preset);
    const resolved = await resolver(AbortSignal.timeout(5_000), { values: new Map(), named: undefined });
    const { greeting, add, keepalive } = resolved.settings;
    const sent = JSON.stringify([greeting, add, keepalive]);
    const times = sent.split(content).length - 1;
    assert.ok(times >= Object.keys(options).length, `${preset}: ${sent}`);
    assert.ok(!sent.includes("file:"), `${preset}: ${sent}`);
    assert.ok(resolved.secrets.includes(content), preset);
    const credential = { instances: { credential: "header X" } };
    const passed = JSON.parse(JSON.stringify(options).replaceAll(placeholder, "$${param:credential}"));
    assert.deepEqual(problemsOf({ ...settings, ...credential, protocol: { preset, ...passed } }), [], preset);
    const shown = JSON.parse(JSON.stringify(options).replaceAll(placeholder, content));
    const written = { upstreams: { default: { ...settings, protocol: { preset, ...shown } } } };
    const described = describeConfig({ ...loaded, written: () => written });
    assert.ok(described.includes(`preset: ${preset}`) && !described.includes(content), `${preset}: ${described}`);
  }
});

test("options of presets that shape the connection take no placeholder", () => {
  const shaping = Object.entries<Dialect>(DIALECTS).flatMap(([name, { options = {}, outgoing = {} }]) =>
    Object.keys(options)
      .filter((option) => !outgoing[option])
      .map((option) => [name, option] as const),
  );
  assert.ok(shaping.length > 0);
  for (const [preset, option] of shaping) {
    const problems = problemsOf({ protocol: { preset, [option]: "${file:/run/a}" } });
    assert.ok(
      problems.some((problem) => problem.startsWith(`protocol.${option}: `)),
      `${preset} ${option}: ${problems}`,
    );
  }
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
