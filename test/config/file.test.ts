/** The configuration file: its content, the places of its keys, and its refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { parseConfigFile } from "../../src/config/file.ts";
import { resolveModule } from "../../src/config/paths.ts";
import { ConfigError } from "../../src/config/problems.ts";

const parse = (text: string, env: Record<string, string> = {}) => parseConfigFile(text, "file.yaml", env);

/** The message with which `text` is refused. */
function refusal(text: string, env?: Record<string, string>): string {
  try {
    parse(text, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  assert.fail(`was accepted: ${text}`);
}

test("YAML and JSON give the same value", () => {
  const expected = { upstreams: { default: { url: "wss://example.org", headers: { a: "b" } } } };
  assert.deepEqual(parse("upstreams:\n  default: { url: wss://example.org, headers: { a: b } }\n").value, expected);
  assert.deepEqual(parse(JSON.stringify(expected, null, 2)).value, expected);
  assert.deepEqual(parse(`\uFEFF${JSON.stringify(expected)}`).value, expected);
});

test("a syntax error is reported with its line and column", () => {
  const cases: [string, RegExp][] = [
    ["", /^file\.yaml:1:1: is empty: give an upstream, or leave the file out to run the demo$/],
    ["# nothing\n", /^file\.yaml:1:1: is empty: give an upstream, or leave the file out to run the demo$/],
    ["- a\n", /^file\.yaml:1:1: must be a mapping/],
    ["just text", /^file\.yaml:1:1: must be a mapping/],
    ["a: 1\nb: 2\na: 3\n", /^file\.yaml:3:1: a: this key occurs twice: leave one out$/],
    ['{ "a": { "b": 1,\n "b": 2 } }', /^file\.yaml:2:2: b: this key occurs twice: leave one out$/],
    ["a: 1\n  b: 2\n", /^file\.yaml:[12]:\d+: \w/],
    ['a: "open\n', /^file\.yaml:\d:\d+: Missing closing/],
    ["a: [1, 2\n", /^file\.yaml:\d:\d+: /],
    ["a: !vault x\n", /^file\.yaml:1:4: unknown tag/],
    ["a: *nowhere\n", /^file\.yaml:1:4: this alias has no anchor/],
    ["a: 1\n---\nb: 2\n", /^file\.yaml:2:1: /],
    ["a:\n  b: &b [1, { c: *b }]\n", /^file\.yaml:2:18: this alias lies within its own anchor/],
    ["a:\n  __proto__: { b: 1 }\n", /^file\.yaml:2:3: __proto__ is not allowed as a key$/],
    ["? [a]\n: 1\n", /^file\.yaml:1:\d: /],
  ];
  for (const [text, expected] of cases) assert.match(refusal(text), expected, JSON.stringify(text));
});

test("exponential aliases are refused", () => {
  const level = (name: string, inner: string) => `${name}: &${name} [${Array(12).fill(`*${inner}`).join(", ")}]`;
  const text = ["a: &a [x, x]", level("b", "a"), level("c", "b"), level("d", "c")].join("\n");
  assert.match(refusal(text), /has too many aliases/);
});

test("nesting that exceeds the stack is refused", () => {
  assert.match(refusal("[".repeat(100_000)), /^file\.yaml/);
});

test("environment variables are replaced once, and $${ is a literal ${", () => {
  const env = { A: "one", B: "${A}", EMPTY: "" };
  assert.deepEqual(parse('x: ${A}\ny: ["${A}-${B}"]\nz: $${A}\nn: 1\nw: $A $$ {}', env).value, {
    x: "one",
    y: ["one-${A}"],
    z: "${A}",
    n: 1,
    w: "$A $$ {}",
  });
  assert.equal(parse("x: ${A}", { A: "123" }).value.x, "123", "a value never turns into a number");
});

test("all unset and empty variables are reported at once, each with its key and place", () => {
  const text =
    "upstreams:\n  default:\n    headers: { authorization: 'Bearer ${TOKEN}' }\n" +
    "    greeting:\n      - send: ok\n      - send: { token: '${OTHER}' }\n";
  assert.deepEqual(refusal(text, { OTHER: "" }).split("\n"), [
    "file.yaml:3:31: upstreams.default.headers.authorization: needs the environment variable TOKEN, which is not set",
    "file.yaml:6:24: upstreams.default.greeting.1.send.token: needs the environment variable OTHER, which is empty",
  ]);
  for (const bad of ["${}", "${A", "${1A}", "${A-B}", "${A:-x}"]) {
    assert.match(refusal(`key: "${bad}"`, { A: "x" }), /^file\.yaml:1:6: key: has a \$\{ without/, bad);
  }
});

test("variables in places of secrets are listed separately", () => {
  const text =
    "listen: { host: '${HOST}' }\nupstreams:\n  a:\n    url: wss://${HOST2}\n    ca: ${HOME}/ca.pem\n" +
    "    headers: { x: '${TOKEN}' }\n    greeting: [{ send: { t: '${LOGIN}' } }]\n";
  const file = parse(text, { HOST: "h", HOST2: "h", HOME: "/", TOKEN: "t", LOGIN: "l" });
  assert.deepEqual(file.secretVariables, ["HOST2", "TOKEN", "LOGIN"]);
});

test("a variable that the runtime denies is reported with the permission it needs", () => {
  const env = new Proxy({}, { get: () => assert.fail("Requires env access") });
  assert.throws(() => parseConfigFile("a: ${TOKEN}", "file.yaml", env), {
    name: "ConfigError",
    message: /^TOKEN: .*--allow-env=TOKEN/,
  });
});

test("every key is located in the file", () => {
  const file = parse("base: &base { ping: 1s }\nlist:\n  - one\n  - two: 2\nempty:\ncopy: *base\n");
  assert.equal(file.locate(["base"], "key"), "file.yaml:1:1");
  assert.equal(file.locate(["base", "ping"], "value"), "file.yaml:1:21");
  assert.equal(file.locate(["list", 1, "two"], "value"), "file.yaml:4:10");
  assert.equal(file.locate(["list", 1, "two"], "key"), "file.yaml:4:5");
  assert.equal(file.locate(["copy", "ping"], "key"), "file.yaml:1:15");
  assert.equal(file.locate(["list", 1, "missing"], "value"), "file.yaml:4:5");
  assert.equal(file.locate(["missing", "far"], "value"), "file.yaml:1:1");
  assert.match(file.locate(["empty"], "value"), /^file\.yaml:5:/);
});

test("syntax errors do not quote the file", () => {
  const canary = "c4n4ry";
  const texts = [
    `a: "${canary}\n`,
    `a: |${canary}\n`,
    `a: !${canary} x`,
    `a: *${canary}`,
    `a: 'x' ${canary}`,
    `a: "\\${canary}"`,
    `a: %${canary}\n b`,
    `a: @${canary}`,
    `[a]: ${canary}]`,
    `a: ${canary}: b`,
    `a: {${canary}`,
    `}${canary}`,
    `%${canary}\n---\na: 1`,
  ];
  for (const text of texts) {
    const message = refusal(text);
    assert.ok(!message.includes(canary), message);
    assert.match(message, /^file\.yaml:\d+:\d+: \S/);
  }
});

test("modules are resolved to file: URLs on this machine", () => {
  assert.equal(resolveModule("./protocol.js", "/etc/side"), pathToFileURL("/etc/side/protocol.js").href);
  assert.equal(resolveModule("../a b#.js", "/etc/side"), "file:///etc/a%20b%23.js");
  assert.equal(resolveModule("/opt/protocol.js", "/etc/side"), "file:///opt/protocol.js");
  assert.equal(resolveModule("file:///opt/protocol.js", "/etc/side"), "file:///opt/protocol.js");
  assert.equal(resolveModule("file:./protocol.js", "/etc/side"), "file:///etc/side/protocol.js");
  assert.equal(resolveModule("file://other.example/protocol.js", "/etc/side"), undefined);
});

test("a variable's value in an answer is no template, and an anchored one stays plain", () => {
  const text = [
    "upstreams:",
    "  default:",
    '    headers: { a: &shared "${V}" }',
    "    protocol:",
    "      preset: text",
    '      answers: [{ when: "(?<n>.)", send: "$n ${V}" }, { when: "b", send: *shared }]',
  ];
  const { value } = parseConfigFile(text.join("\n"), "a.yaml", { V: "a$n" });
  const { headers, protocol } = (
    value as { upstreams: { default: { headers: object; protocol: { answers: object } } } }
  ).upstreams.default;
  assert.deepEqual(headers, { a: "a$n" });
  assert.deepEqual(protocol.answers, [
    { when: "(?<n>.)", send: "$n ${conn:$a%24n}" },
    { when: "b", send: "a$n" },
  ]);
});
