/** Wrong configurations, and the exact words that each is refused with: key, line, cure. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { presetNames } from "../../src/protocols/presets.ts";

/** A file that is wrong, and the refusal behind its name. */
type Row = readonly [text: string, refusal: string];

const FILES: readonly Row[] = [
  [
    "listen: { tls: { cert: a, key: b, verify: false } }",
    "1:35: listen.tls.verify: is not a known key (known here: cert, key, passphrase, ca, min_version)",
  ],
  ["upstreams: {}", "1:12: upstreams: must have at least one upstream (leave the key out to run the demo)"],
  ["listen:\n  prot: 1", "2:3: listen.prot: is not a known key (did you mean port?)"],
  ["listen:\n  port: 70000", "2:9: listen.port: must be a whole number from 0 to 65535"],
  ["listen:\n  host: http://x", "2:9: listen.host: must be an address or a host name, without a port"],
  ["listen:\n  origins: ['*']", "2:13: listen.origins.0: must be an origin such as https://example.org"],
  ["listen: 8787", "1:9: listen: must be a mapping"],
  ["- a", "1:1: must be a mapping of keys to values"],
  ["", "1:1: is empty: give an upstream, or leave the file out to run the demo"],
  ["listen:\n  port: 1\n  port: 2", "3:3: port: this key occurs twice: leave one out"],
  ["listen: {port: 1", "1:17: Flow map in block collection must be sufficiently indented and end with a }"],
  ["upstreams:\n  a b: { url: wss://a }", "2:3: upstreams.…: must be a name of 1 to 64 letters, digits, _ or -"],
  ["upstreams:\n  a: { url: http://a.example }", "2:13: upstreams.a.url: must start with ws://, wss:// or ws+unix:/"],
  ["upstreams:\n  a: { url: a.example }", "2:13: upstreams.a.url: must be a URL such as wss://example.org/socket"],
  ["upstreams:\n  a: {}", "2:3: upstreams.a.url: is missing"],
  [
    "upstreams:\n  a: { url: 'wss://a.example/#x' }",
    "2:13: upstreams.a.url: must not have a fragment: leave out # and what follows",
  ],
  [
    "upstreams:\n  a: { url: 'ws://a.example', headers: { authorization: x } }",
    "2:13: upstreams.a.url: would send credentials in the clear: use wss://, or set allow_plaintext: true",
  ],
  ["upstream:\n  a: { url: wss://a.example }", "1:1: upstream: is not a known key (did you mean upstreams?)"],
  [
    "shutdown: { drain: 3 }",
    "1:20: shutdown.drain: needs a unit: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
  ["shutdown: { drian: 3s }", "1:13: shutdown.drian: is not a known key (did you mean drain?)"],
  [
    "replies: { keep: -1s }",
    "1:18: replies.keep: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
  [
    "log: { level: debug }",
    "1:1: log: is not a known key (known here: listen, upstreams, cluster, replies, limits, quota, shutdown, watch)",
  ],
  ["cluster: {}\nupstreams: { a: { url: wss://a.example } }", "1:1: cluster.servers: is missing"],
  [
    "cluster: { servers: ['http://nats:4222'] }\nupstreams: { a: { url: wss://a.example } }",
    "1:22: cluster.servers.0: must be nats://host:port, or tls://host:port; in a name or a password, % is written %25",
  ],
  [
    "cluster: { servers: ['nats://u:100%@nats:4222'] }\nupstreams: { a: { url: wss://a.example } }",
    "1:22: cluster.servers.0: must be nats://host:port, or tls://host:port; in a name or a password, % is written %25",
  ],
  [
    "cluster: { servers: ['nats://nats'], replicas: 2 }\nupstreams: { a: { url: wss://a.example } }",
    "1:48: cluster.replicas: must be 1 or 3",
  ],
  [
    "cluster: { servers: ['nats://nats'], lease: 100ms }\nupstreams: { a: { url: wss://a.example } }",
    "1:45: cluster.lease: must be from 500ms to 60000ms",
  ],
  [
    "cluster: { servers: ['nats://nats'] }",
    "1:1: upstreams: is missing: the demo has no upstream that replicas could share",
  ],
  [
    "upstreams: { a: { url: wss://a.example, owner: each } }",
    "1:48: upstreams.a.owner: is for replicas of a cluster, and there is no `cluster` here: leave it out, or configure one",
  ],
  [
    "cluster: { servers: ['nats://nats'] }\nupstreams: { a: { url: wss://a.example, when_alone: serve } }",
    "2:53: upstreams.a.when_alone: serve needs handover: overlap, as another replica may connect meanwhile: set both if the upstream bears that",
  ],
  [
    "upstreams: { a: { url: wss://a.example, when_alone: stop } }",
    "1:53: upstreams.a.when_alone: is for replicas of a cluster, and there is no `cluster` here: leave it out, or configure one",
  ],
  [
    "cluster: { servers: ['nats://nats'] }\nupstreams: { a: { url: wss://a.example, owner: each, handover: overlap } }",
    "2:64: upstreams.a.handover: is for an upstream with one owner, and this one has owner: each: leave one of them out",
  ],
  [
    "cluster: { servers: ['nats://nats'] }\nupstreams: { a: { url: wss://a.example, headers: { x: '${param:p}' }, params: { p: x }, instances: {}, handover: overlap } }",
    "2:114: upstreams.a.handover: is not for a template, whose instances stay with the replica that opened them: leave it out",
  ],
  [
    "cluster: { servers: ['nats://nats'] }\nupstreams: { a: { url: wss://a.example } }\nreplies: { keep: 99ms }",
    "3:18: replies.keep: must be at least 100ms with `cluster`: NATS keeps nothing for less",
  ],
  ['{\n "listen": {\n  "port": "x" } }', "3:11: listen.port: must be a whole number from 0 to 65535"],
];

/** Keys that are not known where they stand, and where they are. */
const UNKNOWN_KEYS: readonly Row[] = [
  [
    "protocol: { preset: json, corelation: order }",
    "4:31: upstreams.a.protocol.corelation: is not a known key of preset json (did you mean correlation?)",
  ],
  [
    "protocol: { preset: cdp, correlation: order }",
    "4:30: upstreams.a.protocol.correlation: is not a known key of preset cdp (known to json)",
  ],
  [
    "protocol: { preset: cdp, corelation: order }",
    "4:30: upstreams.a.protocol.corelation: is not a known key of preset cdp (did you mean correlation? It is known to json)",
  ],
  [
    "protocol: { preset: cdp, reply: x }",
    "4:30: upstreams.a.protocol.reply: is not a known key of preset cdp (known to json, text)",
  ],
  [
    "protocol: { preset: stomp, token: t }",
    "4:32: upstreams.a.protocol.token: is not a known key of preset stomp (known to home-assistant, aria2, discord-gateway, janus, nats)",
  ],
  [
    "protocol: { preset: text, id: { out: '#$id $message', in: '#(?<id>x)', repeat: /x } }",
    "4:76: upstreams.a.protocol.id.repeat: is not a known key of preset text (known to json)",
  ],
  [
    "protocol: { preset: json, id: { place: /x } }",
    "4:37: upstreams.a.protocol.id.place: is not a known key (known here: out, in, repeat, alias, kind, prefix, echo)",
  ],
  [
    "protocol: { preset: json, heartbeat: { send: x } }",
    "4:31: upstreams.a.protocol.heartbeat: is not a known key of preset json (its place is upstreams.a.keepalive.heartbeat)",
  ],
  [
    "protocol: { preset: json, greeting: [] }",
    "4:31: upstreams.a.protocol.greeting: is not a known key of preset json (its place is upstreams.a.greeting)",
  ],
  [
    "protocol: { preset: json, match: { /a: 1 } }",
    "4:31: upstreams.a.protocol.match: is not a known key of preset json (its place is upstreams.a.protocol.reply.match)",
  ],
  [
    "protocol: { preset: json, final: { match: { /a: 1 } } }",
    "4:38: upstreams.a.protocol.final: must be a list of conditions, one of which ends a request, or { all_of: [ … ] }",
  ],
  [
    "protocol: { preset: cdp, pulse: 1s }",
    "4:30: upstreams.a.protocol.pulse: is not a known key of preset cdp (known here: preset, frames, answers, ignore, sends)",
  ],
  [
    "protocol: { preset: json, reply: { mach: { /a: 1 } } }",
    "4:40: upstreams.a.protocol.reply.mach: is not a known key (did you mean match?)",
  ],
  [
    "correlation: order",
    "4:5: upstreams.a.correlation: is not a known key (its place is upstreams.a.protocol.correlation, with preset: json)",
  ],
  [
    "protocol: { preset: json, answers: [{ when: { match: { /a: 1 } }, send: b, where: { /a: 1 } }] }",
    "4:80: upstreams.a.protocol.answers.0.where: is not a known key (known as upstreams.a.webhooks.N.where)",
  ],
  [
    "tls: { rejectUnauthorized: false }",
    "4:12: upstreams.a.tls.rejectUnauthorized: is not a known key (certificates are always checked: name the one to trust in tls.ca)",
  ],
  ["port: 8787", "4:5: upstreams.a.port: is not a known key (known as listen.port)"],
  ["greeting: [{ sent: x }]", "4:18: upstreams.a.greeting.0.sent: is not a known key (did you mean send?)"],
  [
    "greeting: [{ send: x, within: 5s }]",
    "4:27: upstreams.a.greeting.0.within: is not a known key (its place is upstreams.a.greeting.0.expect.within)",
  ],
  [
    "greeting: [{ send: x, text: y }]",
    "4:27: upstreams.a.greeting.0.text: is not a known key (its place is one of upstreams.a.greeting.0.expect.text, upstreams.a.greeting.0.reject.text)",
  ],
  [
    "keepalive: { heartbeat: { sned: x } }",
    "4:31: upstreams.a.keepalive.heartbeat.sned: is not a known key (did you mean send?)",
  ],
  [
    "reconnect: { rotate: { evry: 5m } }",
    "4:28: upstreams.a.reconnect.rotate.evry: is not a known key (did you mean every?)",
  ],
  [
    "subscriptions: { s: { request: x, mtch: { /a: 1 } } }",
    "4:39: upstreams.a.subscriptions.s.mtch: is not a known key (did you mean match?)",
  ],
];

/** The fourth line of a file, with the settings of an upstream. */
const UPSTREAMS: readonly Row[] = [
  ["in_flight: 5", "4:5: upstreams.a.in_flight: is not a known key (did you mean limits.in_flight?)"],
  ["limits: { inFlight: 5 }", "4:15: upstreams.a.limits.inFlight: is not a known key (did you mean in_flight?)"],
  ["limits: { in_flight: many }", "4:26: upstreams.a.limits.in_flight: must be a whole number from 1 to 1000000"],
  [
    "limits: { request_bytes: 32MiB }",
    "4:5: upstreams.a.limits.buffered_bytes: must not be smaller than limits.request_bytes: the largest message could never be sent",
  ],
  [
    "limits: { reply_bytes: 16 }",
    "4:28: upstreams.a.limits.reply_bytes: needs a unit: must be a size with its unit (B, kB, MB, GB, KiB, MiB or GiB), such as 64KiB or 16MiB",
  ],
  [
    "connect_within: 10",
    "4:21: upstreams.a.connect_within: needs a unit: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
  ["connect_within: 0s", "4:21: upstreams.a.connect_within: must be from 1ms to 2147483647ms (24.8 days)"],
  [
    "connect_within: fast",
    "4:21: upstreams.a.connect_within: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
  ["conect_within: 10s", "4:5: upstreams.a.conect_within: is not a known key (did you mean connect_within?)"],
  [
    "protocol: mqtt",
    `4:15: upstreams.a.protocol: must be a preset (${presetNames.join(", ")}), the path of a module (it starts with ./ or /), or { preset: … }`,
  ],
  [
    "protocol: { preset: text, frames: { binary: messages } }",
    "4:49: upstreams.a.protocol.frames.binary: is for JSON: text takes bytes as they are",
  ],
  [
    "protocol: { preset: json, frames: { binary: parts } }",
    "4:49: upstreams.a.protocol.frames.binary: needs correlation: order and collect: which request bytes belong to",
  ],
  [
    "protocol: { preset: cdp, frames: { size: 1KiB } }",
    "4:46: upstreams.a.protocol.frames.size: needs binary: bytes are not taken",
  ],
  ["protocol: { preset: json, correlation: order, id: {} }", "4:55: upstreams.a.protocol.id: is for correlation: id"],
  [
    "protocol: { preset: json, correlation: order, cancel: { stop: $id } }",
    "4:59: upstreams.a.protocol.cancel: has an id, which is for correlation: id",
  ],
  [
    "protocol: { preset: json, cancel: { stop: all } }",
    "4:39: upstreams.a.protocol.cancel: must have $id, where the request's id goes, or $alias",
  ],
  [
    'protocol: { preset: text, cancel: "STOP $id" }',
    "4:39: upstreams.a.protocol.cancel: has $id, and needs id: where ids are",
  ],
  [
    'protocol: { preset: text, id: { out: "#$id $message", in: "#(?<id>x)" }, cancel: STOP }',
    "4:86: upstreams.a.protocol.cancel: must have $id, where the request's id goes",
  ],
  ["protocol: jsonrpc", "4:15: upstreams.a.protocol: is not a preset (did you mean json-rpc?)"],
  ["protocol: { preset: jsonrpc }", "4:25: upstreams.a.protocol.preset: is not a preset (did you mean json-rpc?)"],
  [
    "protocol: { preset: 7, frames: {} }",
    `4:25: upstreams.a.protocol.preset: must be a preset (${presetNames.join(", ")})`,
  ],
  [
    "protocol: { preset: json, id: { kind: ulid } }",
    "4:43: upstreams.a.protocol.id.kind: must be one of int, int32, string, uuid, increasing, keep",
  ],
  [
    "protocol: { preset: json, id: { out: id } }",
    "4:42: upstreams.a.protocol.id.out: must be a JSON pointer, such as /id or /data/request",
  ],
  [
    "protocol: { id: {} }",
    `4:15: upstreams.a.protocol: must be a preset (${presetNames.join(", ")}), the path of a module (it starts with ./ or /), or { preset: … }`,
  ],
  ['protocol: { preset: phoenix, version: "3" }', '4:43: upstreams.a.protocol.version: must be "1" or "2"'],
  [
    "protocol: { preset: discord-gateway, token: t, intents: guilds }",
    "4:61: upstreams.a.protocol.intents: must be a whole number, the sum of the bits",
  ],
  [
    'protocol: { preset: ocpp, version: "2.0.1 " }',
    '4:40: upstreams.a.protocol.version: must be a version such as "1.6"',
  ],
  [
    'protocol: { preset: stomp, login: "a\\nb" }',
    "4:39: upstreams.a.protocol.login: must have no line break and no NUL",
  ],
  ...UNKNOWN_KEYS,
  ["protocol: ./missing.js", "4:15: upstreams.a.protocol: cannot read /etc/side/missing.js: no such file"],
  [
    "protocol: home-assistant",
    "4:15: upstreams.a.protocol: needs its token ({ preset: …, token: … }) or a greeting that logs in",
  ],
  ["greeting: { send: x }", "4:15: upstreams.a.greeting: must be a list"],
  [
    "greeting: [{ expect: { match: {} , within: 5 } }]",
    "4:48: upstreams.a.greeting.0.expect.within: needs a unit: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
  [
    "greeting: [{ send: '{' }]",
    "4:24: upstreams.a.greeting.0.send: can never work: it is not JSON: expected a key, found the end at position 1",
  ],
  ["keepalive: { ping: 0s }", "4:24: upstreams.a.keepalive.ping: must be from 1ms to 2147483647ms (24.8 days)"],
  ["keepalive: { heartbeat: { every: 5s } }", "4:18: upstreams.a.keepalive.heartbeat.send: is missing"],
  ["reconnect: { from: 1m, to: 1s }", "4:24: upstreams.a.reconnect.from: must not be longer than reconnect.to"],
  [
    "reconnect: { codes: { 99: retry } }",
    "4:27: upstreams.a.reconnect.codes.99: must be a close code from 1000 to 4999",
  ],
  ["reconnect: { codes: { 4000: never } }", "4:33: upstreams.a.reconnect.codes.4000: must be retry, slow or refuse"],
  ["reconnect: { rotate: {} }", "4:26: upstreams.a.reconnect.rotate: must have every or on"],
  [
    "reconnect: { rotate: { on: { match: {} } } }",
    "4:41: upstreams.a.reconnect.rotate.on.match: must have at least one value",
  ],
  [
    "reconnect: { to_address: { when: { has: [/a] }, at: /u, hosts: [] } }",
    "4:68: upstreams.a.reconnect.to_address.hosts: must have at least one host",
  ],
  [
    "reconnect: { to_address: { when: { has: [/a] }, at: /u, hosts: ['https://a'] } }",
    "4:69: upstreams.a.reconnect.to_address.hosts.0: must be a host such as example.org, example.org:8443 or *.example.org",
  ],
  ["close_code: 1005", "4:17: upstreams.a.close_code: must be 1000, 1001, or from 3000 to 4999"],
  [
    "headers: { connection: close }",
    "4:16: upstreams.a.headers.connection: is reserved for the handshake (see subprotocols)",
  ],
  ["headers: { 'a b': x }", "4:16: upstreams.a.headers.…: must be a header name: letters, digits and hyphens"],
  [
    'headers: { a: "x\\ny" }',
    "4:19: upstreams.a.headers.a: must be one line of Latin-1 text, without control characters",
  ],
  ["headers: { a: '${NOPE}' }", "4:19: upstreams.a.headers.a: needs the environment variable NOPE, which is not set"],
  [
    "headers: { a: '${con:token}' }",
    "4:19: upstreams.a.headers.a: has a ${ that begins no placeholder: did you mean ${conn:…}? (write $${ for a literal ${)",
  ],
  [
    "headers: { a: '${env:TOKEN}' }",
    "4:19: upstreams.a.headers.a: has a ${ that begins no placeholder: did you mean ${NAME}? (write $${ for a literal ${)",
  ],
  [
    "headers: { a: '${ENV:TOKEN}' }",
    "4:19: upstreams.a.headers.a: has a ${ that begins no placeholder: did you mean ${NAME}? (write $${ for a literal ${)",
  ],
  [
    "headers: { a: '${}' }",
    "4:19: upstreams.a.headers.a: has a ${ without a variable's name and a } after it (write $${ for a literal ${)",
  ],
  [
    "headers: { a: '${file:rel}' }",
    "4:19: upstreams.a.headers.a: has a ${file:…} whose path is not absolute: write the whole path",
  ],
  [
    "headers: { a: '${credentials:x}' }",
    "2:3: upstreams.a.credentials: is missing: ${credentials:…} needs a module that returns its value",
  ],
  ["failover: [b]", "4:16: upstreams.a.failover.0: must be the name of another upstream (there is no other)"],
  ["failover: [a]", "4:16: upstreams.a.failover.0: must be the name of another upstream (there is no other)"],
  ["ca: ./missing.pem", "4:9: upstreams.a.ca: cannot read /etc/side/missing.pem: no such file"],
  [
    "subscriptions: { s: { request: { method: x } } }",
    "4:22: upstreams.a.subscriptions.s.match: is missing: a condition for its messages (match, has, text, any, …)",
  ],
  [
    "subscriptions: { s: { preset: eth_subscribe } }",
    "4:22: upstreams.a.subscriptions.s.params: is missing: a list such as [newHeads]",
  ],
  ["webhooks: [{ url: 'ftp://x' }]", "4:23: upstreams.a.webhooks.0.url: must be an http:// or https:// URL"],
  [
    "webhooks: [{ url: 'https://x', subscription: s }]",
    "4:50: upstreams.a.webhooks.0.subscription: is not among this upstream's subscriptions (there are none)",
  ],
  [
    "webhooks: [{ url: 'https://x', secret: short }]",
    "4:44: upstreams.a.webhooks.0.secret: must have at least 8 characters",
  ],
  ["webhooks: { url: 'https://x' }", "4:15: upstreams.a.webhooks: must be a list"],
  ["required: yes please", "4:15: upstreams.a.required: must be true or false"],
  [
    "limits: { pace: { per: 1s } }",
    "4:15: upstreams.a.limits.pace.messages: is missing: must be a whole number from 1 to 100000",
  ],
  ["url: wss://b.example", "4:5: url: this key occurs twice: leave one out"],
  [
    "protocol: { preset: text, reply: '(' }",
    "4:38: upstreams.a.protocol.reply: must be an RE2 pattern: missing closing )",
  ],
  [
    "greeting: [{ expect: { text: '(' } }]",
    "4:34: upstreams.a.greeting.0.expect.text: must be an RE2 pattern: missing closing )",
  ],
  ["subprotocols: [a, a]", "4:19: upstreams.a.subprotocols: has the same name twice: leave one out"],
  ["limits: *x", "4:13: this alias has no anchor (quote a string that starts with *)"],
  ["limits: !!js/function x", "4:13: unknown tag (quote a string that starts with !)"],
  [
    "addresses: { next_after: 1 }",
    "4:30: upstreams.a.addresses.next_after: needs a unit: must be a duration with its unit (ms, s, m or h), such as 10s or 500ms",
  ],
];

const UPSTREAM = "upstreams:\n  a:\n    url: wss://a.example\n    ";

async function refusalOf(text: string): Promise<string> {
  const readFile = async (path: string): Promise<string> => {
    if (path === resolve("/etc/side", "c.yaml")) return text;
    throw Object.assign(new Error(), { code: "ENOENT" });
  };
  const loaded = loadConfig({ flags: { config: "c.yaml" }, env: {}, cwd: "/etc/side", readFile });
  const { name, message } = await loaded.then(
    () => assert.fail(`accepted: ${text}`),
    (error: Error) => error,
  );
  assert.equal(name, "ConfigError");
  return message;
}

test("each wrong file is refused by its line, its key and the cure", async () => {
  for (const [text, refusal] of FILES) assert.equal(await refusalOf(text), `c.yaml:${refusal}`);
});

for (const [settings, refusal] of UPSTREAMS) {
  test(`the upstream's setting \`${settings}\` is refused by its line, its key and the cure`, async () => {
    assert.equal(await refusalOf(UPSTREAM + settings), `c.yaml:${refusal}`);
  });
}

test("of very many unknown keys, twenty are looked for elsewhere", async () => {
  const keys = Array.from({ length: 30 }, (_, n) => `port${"_".repeat(n)}: 1`);
  const lines = (await refusalOf(`${UPSTREAM}${keys.join("\n    ")}`)).split("\n");
  assert.equal(lines.length, 30);
  assert.equal(lines.filter((line) => line.endsWith("(known as listen.port)")).length, 20);
});

test("a wrong file has one line for each fault", async () => {
  const refusal = await refusalOf(`${UPSTREAM}conect_within: 1s\n    close_code: 1005\nlisten: { prot: 1 }`);
  assert.deepEqual(
    refusal.split("\n").map((line) => line.replace(/:.*/s, "")),
    ["c.yaml", "c.yaml", "c.yaml"],
  );
  assert.match(refusal, /^c\.yaml:6:11: listen\.prot: is not a known key \(did you mean port\?\)$/m);
});
