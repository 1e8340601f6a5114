/**
 * Deliberate mistakes, one a row: each is answered by one message that names its cause and the cure.
 *
 * Those of a configuration file are in `test/config/wrong.test.ts`, with the exact words.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { presets } from "../../src/commands/presets-command.ts";
import { parseCommandLine } from "../../src/config/commandline.ts";
import type { Environment } from "../../src/config/environment.ts";
import { loadConfig } from "../../src/config/load.ts";
import { rawRequest } from "../support/http.ts";
import { DENO_PERMISSIONS, type Product, runProduct, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";

/** Arguments, and the words that the refusal must have. */
const COMMAND_LINES: readonly (readonly [argv: readonly string[], refusal: RegExp])[] = [
  [["--upstrem", "ws://a"], /^Unknown option '--upstrem': did you mean --upstream\?/],
  [["--token", "a"], /^Unknown option '--token'/],
  [["cal", "x"], /^unknown command: did you mean call\?/],
  [["start"], /^unknown command.*known: serve, call, listen/],
  [["call"], /^call takes one message, - to read it from standard input, or a method/],
  [["call", '{"a":1}', '{"b":2}'], /^call takes one message/],
  [["call", "add", "-5"], /^a negative number stands after --/],
  [["call", "x", "--cursor", "f"], /^--cursor is only for listen/],
  [["--port"], /'--port <value>' argument missing/],
  [["listen", "--service", "http://a", "--upstream", "ws://a"], /takes --service or, to connect by itself, --upstream/],
  [["listen", "prices"], /^listen takes options only/],
  [["check-config"], /^check-config takes one file: sidesocket check-config FILE/],
  [["completion", "powershell"], /^completion takes a shell: bash, zsh, fish/],
  [["ws://a", "ws://b"], /^one address of one upstream, and options only/],
  [["probe"], /^probe takes one address: sidesocket probe URL/],
  [["mock"], /^mock takes one file: sidesocket mock RECORDING/],
  [["run"], /^run takes a script: sidesocket run/],
  [["check-protocol"], /^check-protocol takes one module/],
];

interface Setting {
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: Environment;
  /** The code of the error that reading any file ends with. */
  readonly unreadable?: string;
}

/** Settings by flags and variables, also those of a container and of Kubernetes. */
const SETTINGS: readonly (readonly [mistake: string, given: Setting, refusal: RegExp])[] = [
  ["an empty variable", { env: { PORT: "" } }, /^PORT: is empty: set a value or leave it out$/],
  ["a port in words", { env: { PORT: "http" } }, /^PORT: must be a whole number from 0 to 65535$/],
  [
    "a variable that is nearly ours",
    { env: { SIDESOCKET_UPSTREAM: "ws://a" } },
    /did you mean SIDESOCKET_UPSTREAM_URL\?/,
  ],
  ["the port under our name", { env: { SIDESOCKET_PORT: "8080" } }, /^SIDESOCKET_PORT: .*did you mean PORT\?/],
  ["http for ws", { flags: { upstream: "http://a" } }, /^--upstream: must start with ws:\/\/, wss:\/\/ or ws\+unix:\//],
  ["an address without a scheme", { flags: { upstream: "a.example" } }, /^--upstream: must be a URL such as wss:/],
  ["a header without a colon", { env: { SIDESOCKET_UPSTREAM_HEADER: "Bearer" } }, /must be "Name: value"$/],
  ["a mistyped preset", { flags: { upstream: "ws://a", protocol: "jsonrpc" } }, /did you mean json-rpc\?/],
  [
    "a protocol without its upstream",
    { flags: { protocol: "json" } },
    /"default", which is not configured \(give --upstream\)/,
  ],
  [
    "a published port without a token",
    { env: { SIDESOCKET_HOST: "0.0.0.0" } },
    /set a token \(SIDESOCKET_TOKEN or --token-file\)/,
  ],
  ["a token that is too short", { env: { SIDESOCKET_TOKEN: "secret" } }, /^SIDESOCKET_TOKEN: .*32/],
  [
    "a token file that is not mounted",
    { flags: { "token-file": "/run/t" }, unreadable: "ENOENT" },
    /cannot read \/run\/t: no such file$/,
  ],
  [
    "a secret that only root can read",
    { flags: { "token-file": "/run/t" }, unreadable: "EACCES" },
    /permission denied$/,
  ],
  [
    "a folder where Docker found no file",
    { flags: { config: "/etc/s.yaml" }, unreadable: "EISDIR" },
    /it is a directory$/,
  ],
  [
    "a level of logs that is none",
    { env: { SIDESOCKET_LOG_LEVEL: "verbose" } },
    /^SIDESOCKET_LOG_LEVEL: must be one of/,
  ],
  ["a format of logs that is none", { flags: { "log-format": "xml" } }, /^--log-format: must be one of/],
  [
    "a header's variable that is not set",
    { flags: { upstream: "wss://a", "upstream-header": "a: ${NOPE}" } },
    /needs the environment variable NOPE, which is not set$/,
  ],
  [
    "a secret in the clear",
    { flags: { upstream: "ws://a.example", "upstream-header": "authorization: b" } },
    /use wss:\/\/, or set allow_plaintext: true$/,
  ],
];

interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const JSON_TYPE = { "content-type": "application/json" };
const REQUEST = "/v1/upstreams/default/request";
const MESSAGES = "/v1/upstreams/default/messages";
const ECHO = '{"jsonrpc":"2.0","id":1,"method":"echo"}';

function post(body: string, headers: Readonly<Record<string, string>> = JSON_TYPE): Request {
  return { method: "POST", headers, body };
}

const REQUESTS: readonly (readonly [mistake: string, path: string, request: Request, refusal: RegExp])[] = [
  [
    "a form, as curl -d sends it",
    REQUEST,
    post(ECHO, { "content-type": "application/x-www-form-urlencoded" }),
    /^415 .*--json/,
  ],
  ["a body without quotes", REQUEST, post("{a:1}"), /^400 .*position 1/],
  ["an empty body", REQUEST, post(""), /^400 .*empty/],
  ["a GET for a POST", REQUEST, {}, /^405 .*POST/],
  ["an upstream that is not configured", "/v1/upstreams/prices/request", post(ECHO), /^404 .*configured: default/],
  ["a path that is none", "/v1/upstream/default", {}, /^404 /],
  ["GraphQL to JSON-RPC", "/graphql", post('{"query":"{ a }"}'), /^404 .*graphql/i],
  ["a timeout in words", `${REQUEST}?timeout=soon`, post(ECHO), /^400 .*timeout/],
  ["a timeout that is too long", `${REQUEST}?timeout=10m`, post(ECHO), /^400 .*120/],
  ["a pointer without its slash", `${REQUEST}?pick=result`, post(ECHO), /^400 .*pick.*\//],
  ["a cursor that is none", `${MESSAGES}?after=yesterday`, {}, /^400 .*after/],
  ["a limit that is too high", `${MESSAGES}?limit=5000`, {}, /^400 .*limit.*1000/],
  ["a wait that is too long", `${MESSAGES}?wait=1h`, {}, /^400 .*wait.*120/],
  [
    "a subscription without its condition",
    "/v1/upstreams/default/subscriptions",
    post('{"name":"a","request":{}}'),
    /^400 .*match/,
  ],
  ["a message of the wrong version", REQUEST, post('{"id":1}'), /^400 .*jsonrpc/],
  [
    "a key that is too long",
    REQUEST,
    post(ECHO, { ...JSON_TYPE, "idempotency-key": "k".repeat(256) }),
    /^400 .*Idempotency-Key/,
  ],
  ["a foreign page", REQUEST, post(ECHO, { ...JSON_TYPE, origin: "https://evil.example" }), /^403 .*listen\.origins/],
  ["a reply to nothing", `${MESSAGES}/m0000000-1/reply`, post('{"result":1}'), /^4\d\d /],
  ["a late reply that nobody made", "/v1/requests/none", {}, /^404 /],
  ["an instance of an upstream without any", "/v1/upstreams/default/instances", post("{}"), /^4\d\d .*instances/],
];

describe("a mistake on the command line", () => {
  for (const [argv, refusal] of COMMAND_LINES) {
    test(`\`sidesocket ${argv.join(" ")}\` is refused with its cure`, () => {
      assert.throws(() => parseCommandLine(argv), { name: "ConfigError", message: refusal });
    });
  }

  test("a mistyped preset is refused with the one that was meant", () => {
    assert.throws(() => presets({ preset: "home-asistant" }), { message: /did you mean home-assistant\?/ });
  });
});

describe("a mistake in the settings", () => {
  for (const [mistake, { flags = {}, env = {}, unreadable }, refusal] of SETTINGS) {
    test(`${mistake} is refused with its cure`, async () => {
      const readFile = async () => {
        throw Object.assign(new Error(), { code: unreadable });
      };
      await assert.rejects(loadConfig({ flags, env: { ...env }, cwd: "/", readFile }), {
        name: "ConfigError",
        message: refusal,
      });
    });
  }
});

describe("a mistake in a request", () => {
  let product: Product;

  before(async () => {
    product = await startProduct();
  });
  after(() => product.kill());

  for (const [mistake, path, request, refusal] of REQUESTS) {
    test(`${mistake} is refused with its cure, and nothing is sent`, async () => {
      const response = await product.fetch(path, request);
      const { detail, sent } = (await response.json()) as { readonly detail: string; readonly sent: string };
      assert.match(`${response.status} ${detail}`, refusal);
      assert.equal(sent, "no");
    });
  }

  test("a name that is not ours is refused with its cure", async () => {
    const { status, body } = await rawRequest(product, { path: REQUEST, headers: { Host: "evil.example" } });
    assert.equal(status, 421);
    assert.match(String(body), /add it to listen\.hosts/);
  });

  test("a port that is taken is refused with its cure", async () => {
    const { code, stderr } = await runProduct(["--port", String(product.port)]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      new RegExp(`127\\.0\\.0\\.1:${product.port}\\b.*: end the program .* another port \\(--port\\)`),
    );
  });
});

describe("a permission that Deno lacks", { skip: runtime === "node" && "Node has no permissions" }, () => {
  for (const [mistake, lacking] of [
    ["to connect", "--allow-net"],
    ["to read", "--allow-read"],
    ["to know variables", "--allow-env"],
  ] as const) {
    test(`${mistake} is named, with the option that grants it`, async () => {
      const denoPermissions = DENO_PERMISSIONS.filter((permission) => permission !== lacking);
      const { code, stderr } = await runProduct(["--upstream", "ws://127.0.0.1:9", "--port", "0"], { denoPermissions });
      assert.equal(code, 2, stderr);
      assert.ok(stderr.includes(lacking), stderr);
    });
  }
});

test("there are sixty of them at least", () => {
  assert.ok(COMMAND_LINES.length + SETTINGS.length + REQUESTS.length + 6 >= 60);
});
