/** The schema of the configuration: defaults, refusals, and the JSON Schema for editors. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { configJsonSchema, subscriptionOrderJson } from "../../src/config/json-schema.ts";
import { check, dotted } from "../../src/config/problems.ts";
import { configSchema, shutdownTotal } from "../../src/config/schema.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";

await preparePatterns({ text: "" });

const WSS = "wss://example.org/socket";

/** A schema and all that it is made of, each once. */
function* partsOf(schema: z.core.$ZodType, seen = new Set<object>()): Generator<z.core.$ZodType> {
  if (seen.has(schema)) return;
  seen.add(schema);
  yield schema;
  for (const value of Object.values(schema._zod.def).flatMap((each) => [each, ...Object.values(Object(each))])) {
    if (Object(value)._zod !== undefined && "def" in Object(value)._zod) yield* partsOf(value, seen);
  }
}

/** For each recursive schema, true if it is resolved: seen before a test parses anything, which resolves it. */
const recursive = [...partsOf(configSchema)].flatMap((part) =>
  part instanceof z.ZodLazy ? ["_cachedInner" in part._zod.def] : [],
);

/** The problems as `path: what`; an empty list for valid input. */
function problems(input: unknown): string[] {
  const checked = check(configSchema, input);
  return "value" in checked ? [] : checked.problems.map(({ path, what }) => `${dotted(path)}: ${what}`);
}

function upstreamProblems(settings: object): string[] {
  return problems({ upstreams: { default: { url: WSS, ...settings } } }).map((line) =>
    line.replace("upstreams.default.", ""),
  );
}

test("an upstream needs only its url and gets every default, in milliseconds and bytes", () => {
  assert.deepEqual(upstreamSchema.parse({ url: WSS }), {
    url: WSS,
    allow_plaintext: false,
    tls: { min_version: "1.2" },
    required: true,
    failover: [],
    farewell: [],
    headers: {},
    subprotocols: [],
    protocol: "json-rpc",
    connect_within: 10_000,
    add: {},
    capture: [],
    addresses: { ipv6_wait: 50, next_after: 250 },
    greeting: [],
    limits: {
      in_flight: 1024,
      batch_items: 1024,
      request_bytes: 1_048_576,
      reply_bytes: 16_777_216,
      reply_pause: 60_000,
      buffered_bytes: 16_777_216,
      subscriptions: 100,
      pace: null,
    },
    keepalive: { ping: 15_000, pong_within: 5000, heartbeat: null, silence: null },
    reconnect: { from: 200, to: 30_000, refused: 60_000, codes: {}, statuses: {}, rotate: null, to_address: null },
    messages: { count: 10_000, bytes: 16_777_216, readers: 10_000 },
    subscriptions: {},
    webhooks: [],
    params: {},
    instances: null,
    template: false,
    close_code: 1001,
    compression: false,
    redirects: [],
    cookies: false,
  });
});

test("an empty configuration has all defaults", () => {
  const config = configSchema.parse({});
  assert.deepEqual(config, {
    listen: {
      host: "127.0.0.1",
      port: 8787,
      hosts: [],
      origins: [],
      cors: { allow_headers: [], max_age: 600_000 },
      page: true,
      keep_alive: 75_000,
      connections: 20_000,
    },
    replies: { keep: 300_000, count: 10_000, bytes: 2 ** 24 },
    limits: { memory: "auto" },
    quota: {},
    shutdown: { delay: 0, drain: 3000, close: 2000, flush: 1000, join: 2000, kill: 500, answer: 500 },
    watch: false,
  });
  assert.equal(shutdownTotal(config.shutdown), 9000);
});

test("a greeting is kept as it was written, with the default time limit", () => {
  const greeting = [
    { expect: { match: { "/type": "auth_required" } } },
    { send: { type: "auth", access_token: "abc" } },
    { send: "plain text" },
    { expect: { match: { "/type": "auth_ok" }, reject: { "/type": "auth_invalid", "/fatal": true }, within: "1s" } },
  ];
  assert.deepEqual(upstreamSchema.parse({ url: WSS, greeting }).greeting, [
    { expect: { match: { "/type": "auth_required" }, within: 5000 } },
    greeting[1],
    greeting[2],
    {
      expect: {
        match: { "/type": "auth_ok" },
        reject: { match: { "/type": "auth_invalid", "/fatal": true } },
        within: 1000,
      },
    },
  ]);
});

test("a protocol is a preset, a preset with options, or a module", () => {
  const cases: [unknown, unknown][] = [
    ["text", "text"],
    ["./protocol.js", "./protocol.js"],
    ["/opt/protocol.js", "/opt/protocol.js"],
    ["file:///opt/protocol.js", "file:///opt/protocol.js"],
    [{ preset: "text" }, { preset: "text" }],
    [{ preset: "json" }, { preset: "json", correlation: "id" }],
    [
      { preset: "json", id: { in: "/reply_to", kind: "string" } },
      { preset: "json", correlation: "id", id: { out: "/id", in: "/reply_to", kind: "string" } },
    ],
  ];
  for (const [protocol, expected] of cases)
    assert.deepEqual(upstreamSchema.parse({ url: WSS, protocol }).protocol, expected);
});

test("an invalid value is reported with its key and the cure", () => {
  const cases: [object, RegExp][] = [
    [{ connect_within: 10 }, /^connect_within: needs a unit: .*10s or 500ms/],
    [{ connect_within: Number.NaN }, /^connect_within: needs a unit/],
    [{ connect_within: "0s" }, /^connect_within: must be from 1ms/],
    [{ connect_within: "2147483648ms" }, /^connect_within: must be from 1ms to 2147483647ms/],
    [{ connect_within: null }, /^connect_within: must be a duration/],
    [{ limits: { in_flight: 0 } }, /^limits\.in_flight: must be a whole number from 1 to/],
    [{ limits: { in_flight: Number.NaN } }, /^limits\.in_flight: must be a whole number/],
    [{ limits: { in_flight: 1.5 } }, /^limits\.in_flight: must be a whole number/],
    [{ limits: { in_flight: "many" } }, /^limits\.in_flight: must be a whole number/],
    [{ limits: { reply_bytes: 1024 } }, /^limits\.reply_bytes: needs a unit/],
    [{ limits: { reply_bytes: "0B" } }, /^limits\.reply_bytes: must be from 1B/],
    [{ limits: { bytes: "1MiB" } }, /^limits\.bytes: is not a known key/],
    [{ limits: null }, /^limits: must be a mapping/],
    [{ keepalive: { ping: "0s" } }, /^keepalive\.ping: must be from 1ms/],
    [{ keepalive: { ping: "on" } }, /^keepalive\.ping: must be a duration .*, or off$/],
    [{ keepalive: { pulse: null } }, /^keepalive\.pulse: is not a known key/],
    [{ keepalive: { heartbeat: { every: "5s" } } }, /^keepalive\.heartbeat\.send: /],
    [{ keepalive: { silence: "0s" } }, /^keepalive\.silence: must be from 1ms/],
    [{ reconnect: { codes: { 999: "retry" } } }, /^reconnect\.codes\.999: must be a close code/],
    [{ reconnect: { codes: { 4000: "never" } } }, /^reconnect\.codes\.4000: must be retry, slow or refuse/],
    [{ reconnect: { statuses: { 700: "retry" } } }, /^reconnect\.statuses\.700: must be an HTTP status/],
    [{ journal: {} }, /^journal: is not a known key/],
    [{ url: "wss://h${file:/run/host}/" }, /^url: must have its host/],
    [{ credentials: "token" }, /^credentials: must be the path of a module/],
    [{ headers: { "x-key": "${credentials:key}" } }, /^credentials: is missing/],
    [{ url: "ws://example.org/?${file:/run/key}" }, /^url: would send credentials in the clear/],
    [
      { protocol: { preset: "json", answers: [{ when: { has: ["/id"] }, send: {}, within: "1s" }] } },
      /^protocol\.answers\.0\.within: needs after: delivered/,
    ],
    [
      { webhooks: [{ url: "http://example.org/", headers: { Authorization: "Bearer x" } }] },
      /^webhooks\.0\.url: would send credentials in the clear: use https:\/\/, or set allow_plaintext: true/,
    ],
    [{ webhooks: [{ url: "http://example.org/?${file:/run/key}" }] }, /^webhooks\.0\.url: would send credentials/],
    [{ limits: { request_bytes: "32MiB" } }, /^limits\.buffered_bytes: must not be smaller than limits\.request_bytes/],
    [{ reconnect: { from: "1m" } }, /^reconnect\.from: must not be longer than reconnect\.to/],
    [{ close_code: 1006 }, /^close_code: must be 1000, 1001, or from 3000 to 4999/],
    [{ close_code: 5000 }, /^close_code: must be a whole number/],
    [{ required: "yes" }, /^required: must be true or false/],
    [{ protocol: "jsonrpc" }, /^protocol: is not a preset \(did you mean json-rpc\?\)$/],
    [{ protocol: "mqtt" }, /^protocol: must be a preset \(json-rpc, json, text, cdp, /],
    [{ protocol: 5 }, /^protocol: must be a preset/],
    [{ protocol: { preset: "xml" } }, /^protocol\.preset: must be a preset/],
    [
      { protocol: { preset: "json", id: { kind: "float" } } },
      /^protocol\.id\.kind: must be one of int, int32, string, uuid, increasing, keep/,
    ],
    [{ protocol: { preset: "text", id: { out: "#$id" } } }, /^protocol\.id\.in: is missing/],
    [
      { protocol: { preset: "text", id: { out: "#$id", in: "(?<id>#)" } } },
      /^protocol\.id\.out: must have \$id and \$message/,
    ],
    [
      { protocol: { preset: "text", id: { out: "$id $id $message", in: "(?<id>#)" } } },
      /^protocol\.id\.out: .*each once/,
    ],
    [
      { protocol: { preset: "text", id: { out: "$id $message", in: "(?<id>#)", kind: "keep" } } },
      /^protocol\.id\.out: .*kept/,
    ],
    [
      { protocol: { preset: "text", id: { out: "#", in: "#", kind: "string" } } },
      /^protocol\.id\.kind: must be one of/,
    ],
    [{ protocol: { preset: "text", id: { out: "#", in: "#".repeat(1001) } } }, /^protocol\.id\.in: must have at most/],
    [
      { protocol: { preset: "text", errors: { when: "#", do: "message" } } },
      /^protocol\.errors: needs id: without ids, the error is the reply/,
    ],
    [{ protocol: { preset: "text", reply: "" } }, /^protocol\.reply: must not be empty/],
    [{ protocol: { preset: "text", skip: ["#"], collect: {} } }, /^protocol\.collect: needs final/],
    [
      { protocol: { preset: "text", id: { out: "(?<id>#)", in: "(?<id>#)" }, final: [] } },
      /^protocol\.final: must have at least one/,
    ],
    [{ protocol: { preset: "json", id: { out: "id" } } }, /^protocol\.id\.out: must be a JSON pointer/],
    [{ protocol: { preset: "json", id: { out: "" } } }, /^protocol\.id\.out: must be a JSON pointer to a member/],
    [{ protocol: { preset: "json", skip: [{}] } }, /^protocol\.skip\.0: must say what to look at/],
    [{ protocol: { preset: "json", final: [] } }, /^protocol\.final: must have at least one/],
    [{ protocol: { preset: "json", collect: {} } }, /^protocol\.collect: needs final/],
    [{ protocol: { preset: "json", reply: { match: { "/a": {} } } } }, /^protocol\.reply\.match\.\/a: must be a text/],
    [{ protocol: { preset: "json", reply: { lacks: ["a"] } } }, /^protocol\.reply\.lacks\.0: must be a JSON pointer/],
    [
      { protocol: { preset: "json", errors: { when: { has: ["/e"] }, do: "panic" } } },
      /^protocol\.errors\.do: must be/,
    ],
    [
      { protocol: { preset: "json", answers: [{ when: { has: ["/q"] }, send: "x", copy: { "/a": "/b" } }] } },
      /^protocol\.answers\.0\.copy: needs a send that is a mapping/,
    ],
    [{ protocol: "home-assistant" }, /^protocol: needs its token/],
    [{ protocol: { preset: "home-assistant", token: "" } }, /^protocol\.token: must not be empty/],
    [{ protocol: { preset: "text", ids: {} } }, /^protocol\.ids: is not a known key/],
    [
      { greeting: [{ wait: 1 }] },
      /^greeting\.0\.wait: is not a known key \(known here: first, expect, reject, send\)$/,
    ],
    [{ greeting: [{ send: 1, within: "5s" }] }, /^greeting\.0\.within: is not a known key/],
    [{ greeting: [{ expect: {} }] }, /^greeting\.0\.expect: must say what to look at/],
    [{ greeting: [{ expect: { match: { type: "x" } } }] }, /^greeting\.0\.expect\.match\.type: must be a JSON pointer/],
    [
      { greeting: [{ expect: { match: { "/type": {} } } }] },
      /^greeting\.0\.expect\.match\.\/type: must be a text, a number/,
    ],
    [{ headers: { "bad name": "x" } }, /^headers\.…: must be a header name/],
    [{ headers: { a: "b\r\nc: d" } }, /^headers\.a: must be one line/],
    [{ headers: { a: "☃" } }, /^headers\.a: must be one line/],
    [{ headers: { a: 1 } }, /^headers\.a: must be a string/],
    [{ headers: { Cookie: "a", cookie: "b" } }, /^headers: has the same header twice/],
    [{ headers: { "Sec-WebSocket-Protocol": "x" } }, /^headers\.Sec-WebSocket-Protocol: is reserved for the handshake/],
    [{ subprotocols: ["a", "a"] }, /^subprotocols: has the same name twice/],
    [{ subprotocols: ["a, b"] }, /^subprotocols\.0: must be a token/],
    [{ url: "example.org" }, /^url: must be a URL/],
    [{ url: "https://example.org" }, /^url: must start with ws:\/\/, wss:\/\/ or ws\+unix:\//],
    [{ url: "wss://example.org/#x" }, /^url: must not have a fragment/],
    [{ url: undefined }, /^url: is missing/],
  ];
  for (const [settings, expected] of cases) {
    const found = upstreamProblems(settings);
    assert.equal(found.length, 1, `${JSON.stringify(settings)} gave ${JSON.stringify(found)}`);
    assert.match(found[0] ?? "", expected);
  }
});

test("invalid listeners, bounds and names are refused", () => {
  const cases: [object, RegExp][] = [
    [{ listen: { port: -1 } }, /^listen\.port: must be a whole number from 0 to 65535/],
    [{ listen: { port: 65536 } }, /^listen\.port/],
    [{ listen: { port: "http" } }, /^listen\.port/],
    [{ listen: { host: "" } }, /^listen\.host: must be an address/],
    [{ listen: { host: "127.0.0.1:8787" } }, /^listen\.host: must be an address/],
    [{ listen: { host: "http://localhost" } }, /^listen\.host: must be an address/],
    [{ listen: { origins: ["*"] } }, /^listen\.origins\.0: must be an origin/],
    [{ listen: { origins: ["https://example.org/"] } }, /^listen\.origins\.0: must be an origin/],
    [{ listen: { hosts: ["https://example.org"] } }, /^listen\.hosts\.0: must be a host name/],
    [{ listen: { keep_alive: "0s" } }, /^listen\.keep_alive: must be from 1ms/],
    [{ shutdown: { drain: "596h", close: "1h" } }, /^shutdown: adds up to more than 2147483647ms/],
    [{ shutdown: { drain: 3 } }, /^shutdown\.drain: needs a unit/],
    [{ upstreams: {} }, /^upstreams: must have at least one/],
    [{ upstreams: { "a b": { url: WSS } } }, /^upstreams\.…: must be a name of 1 to 64/],
    [{ upstreams: { ["a".repeat(65)]: { url: WSS } } }, /^upstreams\.a+: must be a name of 1 to 64/],
    [{ upstream: {} }, /^upstream: is not a known key/],
  ];
  for (const [input, expected] of cases) {
    const found = problems(input);
    assert.equal(found.length, 1, `${JSON.stringify(input)} gave ${JSON.stringify(found)}`);
    assert.match(found[0] ?? "", expected);
  }
});

test("numbers are accepted as strings of digits, exit bounds as zero, and addresses in brackets", () => {
  const config = configSchema.parse({
    listen: { port: "8080", host: "[::1]" },
    shutdown: { drain: "0s", kill: "0ms" },
  });
  assert.equal(config.listen.port, 8080);
  assert.equal(config.listen.host, "::1");
  assert.equal(config.shutdown.drain, 0);
});

test("credentials over ws:// to another machine are refused unless allowed", () => {
  const remote = "ws://example.org";
  const secrets: object[] = [
    { url: "ws://user:pw@example.org" },
    { url: "ws://example.org/?access_token=x" },
    { url: remote, headers: { Authorization: "Bearer x" } },
    { url: remote, headers: { cookie: "a=b" } },
    { url: remote, headers: { "X-Api-Key": "x" } },
    { url: remote, subprotocols: ["base64url.bearer.authorization.k8s.io.x"] },
    { url: remote, greeting: [{ send: { type: "auth" } }] },
    { url: remote, protocol: { preset: "obs", password: "x" } },
    { url: "ws://127.0.0.1.example.org", headers: { authorization: "x" } },
    { url: "ws://[::2]", headers: { authorization: "x" } },
  ];
  for (const settings of secrets) {
    assert.deepEqual(
      upstreamProblems(settings).map((line) => line.split(":")[0]),
      ["url"],
      JSON.stringify(settings),
    );
    assert.deepEqual(upstreamProblems({ ...settings, allow_plaintext: true }), []);
  }
  const fine: object[] = [
    { url: remote },
    { url: remote, headers: { "x-team": "$${file:/run/team}" } },
    { url: remote, headers: { "x-team": "blue" }, greeting: [{ expect: { match: { "/type": "hello" } } }] },
    ...["ws://localhost:1", "ws://127.0.0.1", "ws://127.9.9.9", "ws://[::1]:80", WSS].map((url) => ({
      url,
      headers: { authorization: "x" },
    })),
  ];
  for (const settings of fine) assert.deepEqual(upstreamProblems(settings), [], JSON.stringify(settings));
});

test("problems never repeat a value", () => {
  const canary = "c4n4ry-s3cr3t";
  const inputs: object[] = [
    { url: `https://user:${canary}@example.org` },
    { url: `ws://user:${canary}@example.org` },
    { url: `wss://example.org/#${canary}` },
    { headers: { authorization: `${canary}\n` } },
    { headers: { [`authorization: ${canary}`]: "" } },
    { headers: [canary] },
    { [`authorization: ${canary}`]: null },
    { greeting: canary },
    { greeting: [{ send: { token: canary }, expect: { token: canary } }] },
    { protocol: canary, subprotocols: [`${canary} ${canary}`], connect_within: canary, close_code: canary },
  ];
  for (const input of inputs) {
    const found = upstreamProblems(input);
    assert.ok(found.length > 0, JSON.stringify(input));
    assert.ok(!found.join("\n").includes(canary), found.join("\n"));
  }
});

test("the JSON Schema of a subscription refers to conditions and any JSON by name", () => {
  const { schema, parts } = subscriptionOrderJson("#/parts/");
  assert.deepEqual(Object.keys(parts).sort(), ["Condition", "Json"]);
  const { any, not, request } = schema.properties as Record<string, unknown>;
  const [alternatives, negated, message] = [any, not, request] as { items?: object; $ref?: string }[];
  const condition = { $ref: "#/parts/Condition" };
  assert.deepEqual([alternatives?.items, negated?.$ref], [condition, condition.$ref]);
  assert.equal(message?.$ref, "#/parts/Json");
  const [short, whole] = parts.Condition?.anyOf ?? [];
  assert.equal(short?.type, "string");
  assert.equal((whole?.properties as Record<string, { $ref?: string }>)?.not?.$ref, "#/parts/Condition");
});

test("a file may name its schema", () => {
  const { $schema: _, ...rest } = configSchema.parse({ $schema: "./schema.json" });
  assert.deepEqual(rest, configSchema.parse({}));
});

test("the JSON Schema describes the file as it is written", () => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()));
  assert.match(schema.$id, /^urn:sidesocket:config:\d/);
  assert.match(schema.properties.listen.properties.port.description, /0 picks a free one/);
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.listen.properties.port.default, 8787);
  const upstream = schema.properties.upstreams.additionalProperties;
  assert.deepEqual(upstream.required, ["url"]);
  assert.equal(upstream.properties.connect_within.type, "string");
  assert.equal(upstream.properties.connect_within.default, "10s");
  const duration = new RegExp(upstream.properties.connect_within.pattern);
  assert.deepEqual(
    ["10s", "${CONNECT_WITHIN}", "10", "soon"].map((text) => duration.test(text)),
    [true, true, false, false],
  );
  const { type, minimum, pattern } = schema.properties.listen.properties.port;
  assert.deepEqual([type, minimum, new RegExp(pattern).test("${PORT}")], [["integer", "string"], 0, true]);
  const { after, secret: secrets } = upstream.properties.webhooks.items.properties;
  const [secret, list] = secrets.anyOf;
  assert.deepEqual([list.items, list.maxItems], [secret, 2]);
  for (const { anyOf, minLength, enum: values } of [after, secret]) {
    assert.deepEqual([minLength, values, new RegExp(anyOf[1].pattern).test("${KEY}")], [undefined, undefined, true]);
  }
  assert.deepEqual(
    [after.default, after.anyOf[0], secret.anyOf[0]],
    ["earliest", { enum: ["earliest", "latest"] }, { minLength: 8 }],
  );
});

test("a webhook's secret is one key or two, and a key of Standard Webhooks has 24 to 64 bytes", () => {
  const wrong = (secret: unknown) =>
    problems({ upstreams: { a: { url: WSS, webhooks: [{ url: "https://example.org/hook", secret }] } } }).join();
  const key = (bytes: number) => `whsec_${Buffer.alloc(bytes, 1).toString("base64")}`;
  for (const good of ["a text of ours", key(24), key(64), [key(32), "the old one"], "whsec_${file:/key}"])
    assert.equal(wrong(good), "");
  const wrongs: readonly [secret: unknown, why: RegExp][] = [
    ["short", /secret/],
    [key(23), /secret/],
    [key(65), /secret/],
    ["whsec_not base64!", /secret/],
    [[], /secret/],
    [[key(24), key(24), key(24)], /secret/],
    [5, /secret/],
  ];
  for (const [secret, why] of wrongs) assert.match(wrong(secret), why, JSON.stringify(secret));
  assert.match(wrong(key(23)), /must have 24 to 64 bytes behind whsec_, in base64/);
});

test("failover names another upstream of the file that speaks the same protocol", () => {
  const two = (failover: string[], protocol = "json-rpc") =>
    problems({ upstreams: { a: { url: WSS, failover }, b: { url: WSS, protocol } } });
  assert.deepEqual(two(["b"]), []);
  for (const name of ["a", "c", "toString"]) {
    assert.match(two([name]).join(), /upstreams\.a\.failover\.0: must be the name of another upstream/);
  }
  assert.match(two(["b"], "text").join(), /upstreams\.a\.failover\.0: speaks another protocol/);
});

test("a webhook's url that is none is one problem, and the rest of it is not looked at", () => {
  for (const url of ["", "hook", "ftp://example.org/"]) {
    assert.deepEqual(upstreamProblems({ webhooks: [{ url }] }), ["webhooks.0.url: must be an http:// or https:// URL"]);
  }
});

test("each recursive schema is resolved from the start, since zod searches again for what is not", () => {
  assert.ok(recursive.length > 2, `${recursive.length} recursive schemas`);
  assert.ok(recursive.every(Boolean), "one is of z.json() or z.lazy() alone: see src/config/recursive.ts");
});
