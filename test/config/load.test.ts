/** Loading the configuration: precedence, refusals with their sources, secrets and warnings. */

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { describeConfig } from "../../src/config/describe.ts";
import type { LoadInput } from "../../src/config/load.ts";
import { loadConfig } from "../../src/config/load.ts";
import { redactUrl } from "../../src/config/wire.ts";
import { expired, good, selfSigned } from "../faults/certificates.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
/** The key of the certificate `good`, behind a passphrase. */
const locked = createPrivateKey(good.key)
  .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "correct horse" })
  .toString();
const OTHER = "fedcba9876543210fedcba9876543210";

/** Loads with files that exist only in this test, in the folder /etc/side. */
function load(input: Partial<LoadInput> & { files?: Record<string, string> }) {
  const { files = {}, ...rest } = input;
  const readFile = async (path: string): Promise<string> => {
    for (const [name, text] of Object.entries(files)) if (resolve("/etc/side", name) === path) return text;
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
  };
  return loadConfig({ env: {}, readFile, cwd: "/etc/side", ...rest });
}

const refused = (input: Parameters<typeof load>[0], message: RegExp) =>
  assert.rejects(load(input), { name: "ConfigError", message });

test("no settings at all mean the demo on loopback", async () => {
  const loaded = await load({});
  assert.equal(loaded.demo, true);
  assert.equal(loaded.upstreams.size, 0);
  assert.equal(loaded.listen.port, 8787);
  assert.deepEqual(loaded.log, { level: "info", format: undefined });
  assert.deepEqual([loaded.tokens, loaded.shutdownTokens, loaded.warnings, loaded.insecure], [[], [], [], false]);
});

test("flags win over the environment, it over the file, and the file over the defaults", async () => {
  const files = {
    "f.yaml": [
      "listen: { host: localhost, port: 1, keep_alive: 5s }",
      "upstreams:",
      "  default:",
      "    url: wss://file",
      "    protocol: text",
      "    headers: { A: file, b: file }",
      "    limits: { in_flight: 7 }",
    ].join("\n"),
  };
  const env = {
    SIDESOCKET_CONFIG: "f.yaml",
    PORT: "2",
    SIDESOCKET_HOST: "::1",
    SIDESOCKET_UPSTREAM_URL: "wss://env",
    SIDESOCKET_LOG_LEVEL: "debug",
  };
  const flags = { port: "3", "upstream-header": ["a: flag"], subprotocol: ["x"], "log-format": "json" };
  const loaded = await load({ files, env, flags });
  assert.deepEqual(loaded.listen, {
    host: "::1",
    port: 3,
    hosts: [],
    origins: [],
    cors: { allow_headers: [], max_age: 600_000 },
    page: true,
    keep_alive: 5000,
    connections: 20_000,
  });
  assert.deepEqual(loaded.log, { level: "debug", format: "json" });
  const upstream = loaded.upstreams.get("default");
  assert.equal(upstream?.url, "wss://env");
  assert.equal(upstream?.protocol, "text");
  assert.deepEqual(upstream?.headers, { b: "file", a: "flag" });
  assert.deepEqual(upstream?.subprotocols, ["x"]);
  assert.equal(upstream?.limits.in_flight, 7);
  assert.equal(upstream?.limits.request_bytes, 1_048_576);
});

test("--upstream adds the upstream default to those of the file", async () => {
  const files = { "f.json": '{ "upstreams": { "other": { "url": "wss://other" } } }' };
  const loaded = await load({ files, flags: { config: "f.json", upstream: "wss://example.org" } });
  assert.deepEqual([...loaded.upstreams.keys()], ["other", "default"]);
  assert.equal(loaded.demo, false);
});

test("an option of the upstream default changes no other upstream that shares its settings by an alias", async () => {
  const lines = [
    "upstreams:",
    "  default: &a { url: wss://one, headers: &h { x: file } }",
    "  b: *a",
    "  c: { url: wss://c, headers: *h }",
  ];
  const files = { "f.yaml": lines.join("\n") };
  const flags = { config: "f.yaml", upstream: "wss://two", "upstream-header": ["Authorization: Bearer c4n4ry"] };
  const { upstreams, written } = await load({ files, flags });
  const seen = [...upstreams].map(([name, { url, headers }]) => [name, url, Object.keys(headers)]);
  const separate = [
    ["default", "wss://two", ["x", "Authorization"]],
    ["b", "wss://one", ["x"]],
    ["c", "wss://c", ["x"]],
  ];
  assert.deepEqual(seen, separate);
  const described = Object.entries(written()["upstreams"] as Record<string, { url: string; headers: object }>);
  assert.deepEqual(
    described.map(([name, { url, headers }]) => [name, url, Object.keys(headers)]),
    separate,
  );
});

test("an option of the upstream default is refused if there is no such upstream", async () => {
  await refused({ flags: { protocol: "text" } }, /^--protocol: is for the upstream "default", which is not configured/);
  const files = { "f.yaml": "upstreams: { other: { url: wss://other } }" };
  await refused(
    { files, flags: { config: "f.yaml" }, env: { SIDESOCKET_SUBPROTOCOL: "x" } },
    /^SIDESOCKET_SUBPROTOCOL: is for the upstream/,
  );
});

test("an invalid value is reported with its flag, its variable, or its place in the file", async () => {
  await refused({ flags: { port: "65536" } }, /^--port: must be a whole number from 0 to 65535$/);
  await refused({ env: { PORT: "NaN" } }, /^PORT: must be a whole number/);
  await refused({ flags: { upstream: "http://example.org" } }, /^--upstream: must start with ws:/);
  await refused(
    { env: { SIDESOCKET_UPSTREAM_URL: "wss://a", SIDESOCKET_PROTOCOL: "xml" } },
    /^SIDESOCKET_PROTOCOL: must be a preset \(json-rpc, json, text, cdp, /,
  );
  await refused({ flags: { "log-level": "loud" } }, /^--log-level: must be one of trace, debug/);
  await refused({ env: { SIDESOCKET_LOG_FORMAT: "xml" } }, /^SIDESOCKET_LOG_FORMAT: must be one of pretty, json$/);
  await refused(
    { flags: { upstream: "wss://a", "upstream-header": ["c4n4ry"] } },
    /^--upstream-header: must be "Name: value"$/,
  );
  await refused(
    { flags: { upstream: "wss://a", "upstream-header": ["a: ${NOPE}"] } },
    /^--upstream-header: needs the environment variable NOPE, which is not set$/,
  );
  await refused(
    { flags: { upstream: "ws://a", "upstream-header": ["cookie: x"] } },
    /^--upstream: would send credentials in the clear/,
  );
  await refused({ flags: { config: "missing.yaml" } }, /^--config: cannot read missing\.yaml: no such file$/);
  await refused({ env: { SIDESOCKET_CONFIG: "" } }, /^SIDESOCKET_CONFIG: is empty/);
});

test("all problems of a file are reported at once, each at its key or value", async () => {
  const text = [
    "listen: { port: 70000 }",
    "upstreams:",
    "  default:",
    "    url: http://user:c4n4ry@example.org",
    "    conect_within: 10s",
    "    keepalive: { ping: 2147483648ms }",
    "  other:",
    "    required: true",
    "shutdown: { drain: 3 }",
  ].join("\n");
  await assert.rejects(load({ files: { "f.yaml": text }, flags: { config: "f.yaml" } }), (error: Error) => {
    assert.deepEqual(
      error.message.split("\n").map((line) => line.split(" ").slice(0, 5).join(" ")),
      [
        "f.yaml:1:17: listen.port: must be a",
        "f.yaml:4:10: upstreams.default.url: must start with",
        "f.yaml:6:24: upstreams.default.keepalive.ping: must be from",
        "f.yaml:5:5: upstreams.default.conect_within: is not a",
        "f.yaml:7:3: upstreams.other.url: is missing",
        "f.yaml:9:20: shutdown.drain: needs a unit:",
      ],
    );
    return true;
  });
});

test("relative paths start in the folder of the file that names them, those of flags in the current folder", async () => {
  const files = {
    "sub/f.yaml": "upstreams: { default: { url: wss://a, protocol: ./d.js, ca: ca.pem } }",
    "sub/d.js": "",
    "d.js": "",
    "sub/ca.pem": "-----BEGIN CERTIFICATE-----",
  };
  const fromFile = await load({ files, flags: { config: "sub/f.yaml" } });
  assert.equal(fromFile.upstreams.get("default")?.protocol, "file:///etc/side/sub/d.js");
  assert.equal(fromFile.upstreams.get("default")?.ca, "/etc/side/sub/ca.pem");
  const fromFlag = await load({ files, flags: { config: "sub/f.yaml", protocol: "./d.js" } });
  assert.equal(fromFlag.upstreams.get("default")?.protocol, "file:///etc/side/d.js");
});

test("a missing module or certificate file stops the start", async () => {
  await refused(
    { flags: { upstream: "wss://a", protocol: "./nope.js" } },
    /^--protocol: cannot read \/etc\/side\/nope\.js: no such file$/,
  );
  await refused(
    { flags: { upstream: "wss://a", protocol: "file://far/x.js" } },
    /^--protocol: must be a path or file: URL on this machine$/,
  );
  const files = { "f.yaml": "upstreams: { a: { url: wss://a, ca: ./ca.pem } }" };
  await refused(
    { files, flags: { config: "f.yaml" } },
    /^f\.yaml:1:37: upstreams\.a\.ca: cannot read \/etc\/side\/ca\.pem/,
  );
  await refused(
    { files: { ...files, "ca.pem": "nothing" }, flags: { config: "f.yaml" } },
    /upstreams\.a\.ca: .* has no certificate/,
  );
});

test("tokens come from a variable or a file, one per line, and guard /shutdown, too", async () => {
  const one = await load({ env: { SIDESOCKET_TOKEN: ` ${TOKEN}\n` } });
  assert.deepEqual([one.tokens, one.shutdownTokens], [[TOKEN], [TOKEN]]);
  const files = { api: `${TOKEN}\r\n\n${OTHER}\n${TOKEN}`, stop: OTHER };
  const two = await load({ files, flags: { "token-file": "api" }, env: { SIDESOCKET_SHUTDOWN_TOKEN_FILE: "stop" } });
  assert.deepEqual([two.tokens, two.shutdownTokens], [[TOKEN, OTHER], [OTHER]]);
});

test("weak, empty, missing and ambiguous tokens are refused without showing them", async () => {
  await refused({ env: { SIDESOCKET_TOKEN: "" } }, /^SIDESOCKET_TOKEN: is empty/);
  await refused(
    { env: { SIDESOCKET_SHUTDOWN_TOKEN: "short" } },
    /^SIDESOCKET_SHUTDOWN_TOKEN: has a token of 5 characters; at least 32/,
  );
  await refused({ env: { SIDESOCKET_TOKEN: `${TOKEN} x` } }, /^SIDESOCKET_TOKEN: has a token with characters/);
  await refused({ env: { SIDESOCKET_TOKEN: `${TOKEN},x` } }, /^SIDESOCKET_TOKEN: has a token with characters/);
  await refused({ env: { SIDESOCKET_TOKEN_FILE: "" } }, /^SIDESOCKET_TOKEN_FILE: is empty/);
  await refused({ flags: { "token-file": "nope" } }, /^--token-file: cannot read nope: no such file$/);
  await refused({ files: { t: "\n" }, flags: { "token-file": "t" } }, /^--token-file: t: is empty/);
  await refused(
    { env: { SIDESOCKET_TOKEN: TOKEN, SIDESOCKET_TOKEN_FILE: "t" } },
    /^SIDESOCKET_TOKEN: is set together with SIDESOCKET_TOKEN_FILE/,
  );
});

test("a host that is reachable from other machines needs a token or --insecure", async () => {
  for (const host of ["0.0.0.0", "::", "192.168.1.4", "example.org", "127.0.0.1.example.org"]) {
    await refused({ flags: { host } }, /^--host: .* is reachable from other machines: set a token/);
    assert.equal((await load({ flags: { host }, env: { SIDESOCKET_TOKEN: TOKEN } })).listen.host, host);
    const insecure = await load({ flags: { host, insecure: true } });
    assert.match(insecure.warnings.join("\n"), /^--host: .* there is no token/);
  }
  await refused({ flags: { host: "::" }, env: { SIDESOCKET_SHUTDOWN_TOKEN: TOKEN } }, /set a token/);
  await refused(
    { files: { "f.yaml": "listen:\n  host: 0.0.0.0" }, flags: { config: "f.yaml" } },
    /^f\.yaml:2:9: listen\.host: 0\.0\.0\.0 is reachable/,
  );
  for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1", "[::1]"])
    await load({ flags: { host } });
});

test("the listener's certificate is read with its key, and refused with the place if they are no pair", async () => {
  const files = (listen: string) => ({
    "f.yaml": `listen:\n  ${listen}`,
    "c.pem": good.cert,
    "k.pem": good.key,
    "other.pem": selfSigned.key,
    "old.pem": expired.cert,
    "old-key.pem": expired.key,
    "locked.pem": locked,
    pass: "correct horse\n",
  });
  const tls = (settings: string) => ({ files: files(`tls: { ${settings} }`), flags: { config: "f.yaml" } });
  const { listen, certificate, sources } = await load(tls("cert: c.pem, key: k.pem, ca: c.pem"));
  assert.deepEqual(listen.tls, {
    cert: "/etc/side/c.pem",
    key: "/etc/side/k.pem",
    ca: "/etc/side/c.pem",
    min_version: "1.2",
  });
  assert.deepEqual(certificate, { ...good, ca: good.cert });
  assert.deepEqual(sources.files.slice(1).sort(), ["/etc/side/c.pem", "/etc/side/c.pem", "/etc/side/k.pem"]);
  for (const passphrase of ["correct horse", "${file:/etc/side/pass}"]) {
    const opened = await load(tls(`cert: c.pem, key: locked.pem, passphrase: "${passphrase}"`));
    assert.deepEqual(opened.certificate, good, "the key without its passphrase");
  }
  const old = await load(tls("cert: old.pem, key: old-key.pem"));
  assert.match(old.warnings.join(), /f\.yaml:2:16: listen\.tls\.cert: \/etc\/side\/old\.pem has expired/);

  const wrong: readonly (readonly [settings: string, message: RegExp])[] = [
    ["cert: c.pem", /^f\.yaml:2:3: listen\.tls\.key: is missing$/],
    ["cert: c.pem, key: none.pem", /^f\.yaml:2:28: listen\.tls\.key: cannot read .*none\.pem: no such file$/],
    ["cert: k.pem, key: k.pem", /^f\.yaml:2:16: listen\.tls\.cert: \S+k\.pem has no certificate in PEM format$/],
    ["cert: c.pem, key: c.pem", /^f\.yaml:2:28: listen\.tls\.key: \S+c\.pem has no private key in PEM format$/],
    ["cert: c.pem, key: other.pem", /^f\.yaml:2:28: listen\.tls\.key: tls\.key does not fit tls\.cert$/],
    ["cert: c.pem, key: locked.pem", /^f\.yaml:2:28: .* it may need tls\.passphrase$/],
    ["cert: c.pem, key: locked.pem, passphrase: c4n4ry", /^f\.yaml:2:28: .*tls\.passphrase does not open tls\.key$/],
    ["cert: c.pem, key: k.pem, passphrase: '${credentials:x}'", /^f\.yaml:2:\d+: listen\.tls\.passphrase: may have no/],
  ];
  for (const [settings, message] of wrong) await refused(tls(settings), message);
  const open = { files: files("host: 0.0.0.0\n  tls: { cert: c.pem, key: k.pem }"), flags: { config: "f.yaml" } };
  await refused(open, /^f\.yaml:2:9: listen\.host: 0\.0\.0\.0 is reachable from other machines: set a token/);
});

test("a Unix socket needs no token, and its path and mode are checked", async () => {
  const at = (listen: string) => ({ files: { "f.yaml": `listen: ${listen}` }, flags: { config: "f.yaml" } });
  const { listen } = await load(at('{ host: 0.0.0.0, path: a/b.sock, mode: "660" }'));
  assert.deepEqual([listen.path, listen.mode], ["/etc/side/a/b.sock", "660"]);
  const flags = { config: "/elsewhere/f.yaml", "listen-path": "own.sock" };
  const elsewhere = { "/elsewhere/f.yaml": "listen: { path: its.sock }" };
  assert.equal((await load({ files: elsewhere, flags })).listen.path, "/etc/side/own.sock");
  await refused(at("{ path: a b }"), /^f\.yaml:1:17: listen\.path: must be the path of a file, without spaces/);
  await refused(at(`{ path: ${"a".repeat(100)} }`), /^f\.yaml:1:17: listen\.path: \S+ is longer than 101 bytes/);
  await refused(at("{ path: a, mode: 660 }"), /^f\.yaml:1:26: listen\.mode: must be a mode in quotes, such as "660"$/);
  await refused(at('{ path: a, mode: "668" }'), /^f\.yaml:1:26: listen\.mode: must be an octal mode such as "660"$/);
  await refused(at('{ mode: "660" }'), /^f\.yaml:1:17: listen\.mode: needs path beside it, whose file it is for$/);
});

test("all invalid patterns are reported at once, each with its place", async () => {
  const lines = [
    "upstreams:",
    "  a:",
    "    url: wss://a",
    "    protocol:",
    "      preset: text",
    '      id: { out: "#$id $message", in: "^#(\\\\d+)" }',
    "      skip: [ ok, '(c4n4ry' ]",
  ];
  await assert.rejects(load({ files: { "f.yaml": lines.join("\n") }, flags: { config: "f.yaml" } }), (error: Error) => {
    assert.deepEqual(error.message.split("\n"), [
      "f.yaml:6:39: upstreams.a.protocol.id.in: must have a group (?<id>…) around the id",
      "f.yaml:7:19: upstreams.a.protocol.skip.1: must be an RE2 pattern: missing closing )",
    ]);
    return true;
  });
  const good = lines.join("\n").replace("(\\\\d+)", "(?<id>\\\\d+)").replace("(c4n4ry", "c4n4ry");
  const { upstreams } = await load({ files: { "f.yaml": good }, flags: { config: "f.yaml" } });
  assert.deepEqual(upstreams.get("a")?.protocol, {
    preset: "text",
    id: { out: "#$id $message", in: "^#(?<id>\\d+)", kind: "int" },
    skip: [{ text: "ok" }, { text: "c4n4ry" }],
  });
});

test("variables that held secrets are deleted after loading, and the others stay", async () => {
  const files = { "f.yaml": "upstreams: { a: { url: wss://a, headers: { authorization: '${UPSTREAM}' } } }" };
  const env: Record<string, string> = {
    SIDESOCKET_TOKEN: TOKEN,
    SIDESOCKET_SHUTDOWN_TOKEN: OTHER,
    SIDESOCKET_CONFIG: "f.yaml",
    SIDESOCKET_UPSTREAM_URL: "wss://user:pw@b",
    SIDESOCKET_UPSTREAM_HEADER: "authorization: ${FLAG}",
    UPSTREAM: "u",
    FLAG: "f",
    PORT: "0",
  };
  const loaded = await load({ files, env });
  assert.deepEqual(env, { SIDESOCKET_CONFIG: "f.yaml", PORT: "0" });
  assert.equal(loaded.upstreams.get("a")?.headers.authorization, "u");
  assert.equal(loaded.upstreams.get("default")?.headers.authorization, "f");
});

test("the description has no secrets, and is loaded as what it describes", async () => {
  const canary = "c4n4ry0123456789c4n4ry0123456789";
  const files = {
    "f.yaml": [
      "listen: { path: a.sock, tls: { cert: c.pem, key: locked.pem, passphrase: correct horse } }",
      "upstreams:",
      "  a:",
      `    url: "wss://${canary}:${canary}@example.org:444/rooms/${canary}?key=${canary}&of=\${file:/run/a?b}"`,
      `    headers: { authorization: ${canary}, cookie: "a=\${COOKIE}; k=${canary}", x-literal: "$\${literal}" }`,
      `    subprotocols: [graphql-ws, bearer.${canary}]`,
      `    greeting: [{ send: { type: auth, token: ${canary} } }, { expect: { match: { /a: ${canary} } } }]`,
      `    farewell: [{ send: { type: bye, token: ${canary} } }]`,
      "    proxy: http://annabell:c4n4ry-short@proxy.example:3128",
      "    tls: { ca: c.pem }",
      "    protocol: ./module.js",
      "    limits: { in_flight: 7 }",
      "    keepalive: { ping: off, heartbeat: { send: c4n4ry-heart } }",
      `    webhooks: [{ url: "https://hook.example/${canary}", headers: { x-key: ${canary} } }]`,
      "  b-c:",
      "    url: ws+unix:/run/b.sock:/x?key=c4n4ry",
      `    protocol: { preset: obs, password: ${canary} }`,
      "shutdown: { drain: 2s }",
    ].join("\n"),
    "c.pem": good.cert,
    "locked.pem": locked,
    "module.js": "",
  };
  const flags = {
    config: "f.yaml",
    upstream: "wss://default.example/?at=1",
    "upstream-header": ["X-Flag: ${OF_FLAG}"],
  };
  const env = { COOKIE: "crumbs", OF_FLAG: "c4n4ry-flag" };
  const loaded = await load({ files, flags, env: { ...env, SIDESOCKET_TOKEN: canary } });
  const described = describeConfig(loaded);
  assert.doesNotMatch(described, /c4n4ry|annabell|correct horse|crumbs/);
  for (const shown of [
    "url: wss://${UPSTREAMS_A_URL}:${UPSTREAMS_A_URL_2}@example.org:444/rooms/${UPSTREAMS_A_URL_3}?key=${UPSTREAMS_A_URL_4}&of=${file:/run/a?b}",
    "cookie: ${UPSTREAMS_A_HEADERS_COOKIE}=${COOKIE}; ${UPSTREAMS_A_HEADERS_COOKIE_2}\n",
    "- graphql-ws\n",
    "type: auth\n",
    "cert: /etc/side/c.pem\n",
    "in_flight: 7\n",
    "pong_within: 5s\n",
    "X-Flag: ${OF_FLAG}\n",
    "url: ws+unix:/run/b.sock:/x?key=${UPSTREAMS_B_C_URL}\n",
  ]) {
    assert.ok(described.includes(shown), `${shown} in\n${described}`);
  }
  const values: Record<string, string> = { UPSTREAMS_A_URL: canary, LISTEN_TLS_PASSPHRASE: "correct horse" };
  for (const name of described.matchAll(/^# \$\{(\w+)\} stands for/gm)) values[name[1] ?? ""] ??= canary;
  Object.assign(values, {
    UPSTREAMS_A_HEADERS_COOKIE: "a",
    UPSTREAMS_A_HEADERS_COOKIE_2: `k=${canary}`,
    UPSTREAMS_A_HEADERS_X_LITERAL: "${literal}",
    UPSTREAMS_A_PROXY: "annabell",
    UPSTREAMS_A_PROXY_2: "c4n4ry-short",
    UPSTREAMS_A_KEEPALIVE_HEARTBEAT_SEND: "c4n4ry-heart",
    UPSTREAMS_B_C_URL: "c4n4ry",
    UPSTREAMS_DEFAULT_URL: "1",
    UPSTREAMS_A_SUBPROTOCOLS_1: `bearer.${canary}`,
  });
  const pasted = { ...files, "/elsewhere/g.yaml": described };
  const again = await load({ files: pasted, flags: { config: "/elsewhere/g.yaml" }, env: { ...values, ...env } });
  assert.deepEqual(again.upstreams, loaded.upstreams);
  for (const part of ["listen", "certificate", "replies", "limits", "quota", "shutdown", "watch"] as const)
    assert.deepEqual(again[part], loaded[part], part);
  const twice = describeConfig(again);
  assert.equal(withoutComments(twice), withoutComments(described));
  // A placeholder that is not filled is no start with a wrong secret.
  await refused(
    { files: pasted, flags: { config: "/elsewhere/g.yaml" }, env },
    /LISTEN_TLS_PASSPHRASE, which is not set/,
  );
  assert.equal(redactUrl("c4n4ry"), "(not a URL)");
});

test("a hidden number is refused where it stood, and the description is loaded once it is back", async () => {
  const written = "upstreams: { a: { url: wss://a, greeting: [{ send: { op: login, pin: 4321 } }] } }";
  const loaded = await load({ files: { "f.yaml": written }, flags: { config: "f.yaml" } });
  const described = describeConfig(loaded);
  assert.match(
    described,
    /^# upstreams\.a\.greeting\.0\.send\.pin is a number, in place of which \$\{a number\} stands/m,
  );
  assert.doesNotMatch(described, /4321/);
  const flags = { config: "g.yaml" };
  await refused({ files: { "g.yaml": described }, flags }, /upstreams\.a\.greeting\.0\.send\.pin: has a \$\{ without/);
  const again = await load({ files: { "g.yaml": described.replace(/(?<=pin: ).*/, "4321") }, flags });
  assert.deepEqual(again.upstreams, loaded.upstreams);
});

const withoutComments = (yaml: string) => yaml.replaceAll(/^# .*\n/gm, "");

test("real files are read, and a token file that everyone can read causes a warning", {
  skip: process.platform === "win32",
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-config-"));
  try {
    const file = join(folder, "token");
    await writeFile(file, TOKEN, { mode: 0o600 });
    const loaded = await loadConfig({ env: {}, flags: { "token-file": file } });
    assert.deepEqual([loaded.tokens, loaded.warnings], [[TOKEN], []]);
    await chmod(file, 0o644);
    const open = await loadConfig({ env: {}, flags: { "token-file": file } });
    assert.match(open.warnings.join(), /^--token-file: .*can be read by every user/);
    await assert.rejects(loadConfig({ env: {}, flags: { config: folder } }), {
      message: /^--config: cannot read .*: it is a directory$/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("exit bounds beyond a container's grace period are allowed with a warning", async () => {
  const within = await load({ files: { "f.yaml": "shutdown: { delay: 1s }" }, flags: { config: "f.yaml" } });
  assert.deepEqual(within.warnings, []);
  const beyond = await load({ files: { "f.yaml": "\nshutdown: { delay: 1001ms }" }, flags: { config: "f.yaml" } });
  assert.match(
    beyond.warnings.join("\n"),
    /^f\.yaml:2:\d+: shutdown: the bounds add up to 10\.001 s: .*Docker.*Kubernetes/,
  );
  assert.equal(beyond.warnings.length, 1);
});

test("secrets on the command line and in the environment are warned of by name, and others are not", async () => {
  const shown = async (flags: NonNullable<LoadInput["flags"]>, env: Record<string, string> = {}) => {
    const { warnings, secretOnCommandLine } = await load({ flags, env });
    return [secretOnCommandLine, ...warnings.map((warning) => warning.slice(0, warning.indexOf(":")))];
  };
  const upstream = "wss://example.org";
  assert.deepEqual(await shown({ upstream, "upstream-header": ["Authorization: Bearer c4n4ry"] }), [
    true,
    "--upstream-header",
  ]);
  assert.deepEqual(await shown({ upstream: `${upstream}/?token=c4n4ry` }), [true, "--upstream"]);
  assert.deepEqual(await shown({ upstream: "wss://me:c4n4ry@example.org" }), [true, "--upstream"]);
  assert.deepEqual(await shown({ upstream, "upstream-header": ["X-Version: 7"] }), [false]);
  const cluster = ["nats://c4n4ry@a", "nats://me:c4n4ry@b"];
  assert.deepEqual(await shown({ upstream, cluster }), [true, "--cluster"]);
  assert.deepEqual(await shown({ upstream }, { SIDESOCKET_CLUSTER_SERVERS: cluster.join(",") }), [
    false,
    "SIDESOCKET_CLUSTER_SERVERS",
  ]);
  assert.deepEqual(await shown({ upstream, cluster: ["nats://a"] }), [false]);
  const { warnings } = await load({ flags: { upstream, cluster } });
  assert.match(warnings.join(), /a file: --cluster-credentials-file$/);
  assert.deepEqual(await shown({ upstream, "upstream-header": ["Authorization: Bearer ${KEY}"] }, { KEY: "c4n4ry" }), [
    false,
    "KEY",
  ]);
  assert.deepEqual(await shown({}, { SIDESOCKET_TOKEN: TOKEN, SIDESOCKET_UPSTREAM_URL: `${upstream}/?key=c4n4ry` }), [
    false,
    "SIDESOCKET_TOKEN",
  ]);
});
