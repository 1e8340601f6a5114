/** Starts of the process: its one line on stdout, its refusals, its command line. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { runProduct, StartFailed, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem, rpcProblem } from "./expect.ts";
import { written } from "./files.ts";

/** Long enough for a busy machine to start a process; the product itself must need less than a second of it. */
const REFUSED_WITHIN_MS = 5_000;
const echo = (params: unknown = ["x"]) => ({ jsonrpc: "2.0", id: 1, method: "echo", params });

/** Asserts a start that fails with code 2 and a reason, with nothing on stdout. */
async function refused(args: readonly string[], why: RegExp, env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr, ms } = await runProduct(args, { env });
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, why);
  assert.doesNotMatch(stderr, /^\s+at /m, "no stack");
  assert.ok(ms < REFUSED_WITHIN_MS, `${ms} ms`);
  return stderr;
}

describe("starting", () => {
  test("stdout gets only `listening on`, and logs are lines of JSON on stderr", async (t) => {
    const upstream = await startUpstream({ t });
    const product = await startProduct({ upstream, args: ["--log-level", "trace"], t });
    await product.ready();
    await product.request(echo());
    await product.request("{");
    assert.equal((await product.stop()).code, 0);
    assert.equal(product.stdout(), `listening on ${product.url}\n`);
    assert.ok(product.log().length > 0);
    assert.equal(product.log().length, product.stderr().trim().split("\n").length, product.stderr());
  });

  test("a terminal's log explains why an upstream is down", async (t) => {
    const upstream = `ws://127.0.0.1:${await freePort()}`;
    const product = await startProduct({ upstream, args: ["--log-format", "pretty"], t });
    await product.until(() =>
      /\[WRN\] upstream default: waiting, next attempt in .* s: .*ECONNREFUSED/.test(product.stderr()),
    );
    assert.equal((await product.stop()).code, 0);
  });

  test("a reason with braces in it is logged verbatim", async (t) => {
    const protocol = await written(t, "dialect.mjs", "throw new Error('it wants { token } and {{more}}');");
    for (const format of ["pretty", "json"]) {
      const args = ["--port", "0", "--upstream", "ws://127.0.0.1:9", "--protocol", protocol, "--log-format", format];
      const { code, stderr } = await runProduct(args, { t });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /giving up: default: .*: it wants \{ token \} and \{\{more\}\}/);
    }
  });

  test("the demo starts without an upstream and prints a curl line that works when pasted", async (t) => {
    const product = await startProduct({ t });
    await product.until(() => product.stderr().includes("curl"));
    const [, json, url] = /curl --json '(.*)' (http\S+)/.exec(product.stderr()) ?? [];
    assert.equal(new URL(url ?? "").origin, product.url);
    await product.ready();
    const response = await product.post(new URL(url ?? "").pathname, json);
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: ["hello"] });
    assert.equal((await product.stop()).code, 0);
  });

  test("the demo's curl line has the place of a token where callers need one", async (t) => {
    const token = "a-token-that-is-long-enough-for-this-test";
    const product = await startProduct({ env: { SIDESOCKET_TOKEN: token }, t });
    await product.until(() => product.stderr().includes("curl"));
    const [line = "", header = ""] = /curl -H "(.*)" --json .* http\S+/.exec(product.stderr()) ?? [];
    await product.said(/Try, with TOKEN set to a token of yours:/);
    const authorization = header.replace("$TOKEN", token).replace("Authorization: ", "");
    await until(async () => (await product.fetch("/readyz")).ok, { what: "the demo to be ready" });
    const [, json = ""] = /--json '(.*)'/.exec(line) ?? [];
    const headers = { authorization, "content-type": "application/json" };
    const response = await product.post("/rpc", json, { headers });
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: ["hello"] });
  });

  test("several configured upstreams are reached by name, and /readyz waits for the required ones", async (t) => {
    const [one, two] = [await startUpstream({ t }), await startUpstream({ t })];
    const gone = await startUpstream({ t });
    await gone.stop();
    const upstreams = { one: { url: one.url }, two: { url: two.url }, three: { url: gone.url, required: false } };
    const product = await startProduct({ config: { upstreams }, t });
    await product.ready();
    for (const [name, upstream] of [
      ["one", one],
      ["two", two],
    ] as const) {
      for (const path of [`/v1/upstreams/${name}/request`, `/rpc/${name}`]) {
        assert.equal((await product.post(path, echo([name]))).status, 200);
      }
      assert.ok(upstream.texts.length === 2 && upstream.texts.every((text) => text.includes(name)));
    }
    const lost = { status: 404, code: "not_found", sent: "no", detail: /one, two, three/ } as const;
    await problem(await product.request(echo()), lost);
    await rpcProblem(await product.rpc(echo()), lost);
    assert.notEqual((await product.state("three")).phase, "ready");
    const stopped = await product.stop();
    assert.equal(stopped.code, 0);
    assert.deepEqual([one.last.closed?.code, two.last.closed?.code], [1001, 1001]);
  });

  test("a port in use is reported in one line, with code 2", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    t.after(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as { port: number };
    const stderr = await refused(["--port", String(port)], /EADDRINUSE|address (is )?(already )?in use/i);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.match(stderr, new RegExp(String(port)));
  });

  test("on Deno the command printed for a refused permission allows all that the configuration names", {
    skip: runtime !== "deno",
  }, async (t) => {
    const upstream = await startUpstream({ t });
    const secret = await written(t, "secret", "s3cret");
    const credentials = await written(t, "credentials.mjs", "export default () => ({ query: 'a=b' });");
    const headers = { "x-env": "${OF_THE_TEST}", "x-file": `\${file:${secret}}` };
    const url = `${upstream.url}?\${credentials:query}`;
    const options = { config: { upstreams: { default: { url, credentials, headers } } }, env: { OF_THE_TEST: "e" }, t };
    const denoPermissions = ["--allow-net=127.0.0.2", "--allow-env", "--allow-read"];
    const command = await startProduct({ ...options, denoPermissions }).catch((error) => {
      assert.ok(error instanceof StartFailed);
      assert.equal(error.exit?.code, 2, error.stderr);
      return /deno run \S+ (\S+) '(\S+)' (\S+) src\/main\.ts/.exec(error.stderr);
    });
    assert.ok(Array.isArray(command), "a command was printed");
    const [, net = "", variables = "", read = ""] = command;
    // The file has another name this time.
    const product = await startProduct({
      ...options,
      denoPermissions: [net, variables, read.replace(/[^,]+config\.yaml/, tmpdir())],
    });
    await product.ready();
    assert.match(read, /config\.yaml/);
  });

  test("on Deno a start without the permissions to begin prints a command that works", {
    skip: runtime !== "deno",
  }, async (t) => {
    const command = await startProduct({ denoPermissions: ["--allow-env=NO_COLOR"], t }).catch((error) => {
      assert.ok(error instanceof StartFailed);
      assert.equal(error.exit?.code, 2, error.stderr);
      return / deno run (.*) src\/main\.ts …$/m.exec(error.stderr)?.[1]?.replaceAll("'", "").split(" ");
    });
    assert.ok(Array.isArray(command), "a command was printed");
    const product = await startProduct({ denoPermissions: command, t });
    await product.ready();
  });

  test("on Deno it also listens on IPv6, with only the permission that this needs", {
    skip: runtime !== "deno",
  }, async (t) => {
    const denoPermissions = ["--allow-net=[::1],127.0.0.1", "--allow-env", "--allow-read=src"];
    const product = await startProduct({ args: ["--host", "::1"], denoPermissions, t });
    assert.equal((await product.fetch("/livez")).status, 200);
  });

  test("it also listens on IPv6, and prints an address that works", async (t) => {
    const product = await startProduct({ args: ["--host", "::1"], t });
    assert.match(product.url, /^http:\/\/\[::1\]:\d+$/);
    await product.ready();
    assert.equal((await product.rpc(echo())).status, 200);
    assert.equal((await product.stop()).code, 0);
  });

  test("an address that is not ours is reported with code 2", async () => {
    await refused(["--host", "192.0.2.1", "--insecure", "--port", "0"], /192\.0\.2\.1/);
  });
});

describe("the configuration", () => {
  const wrong: readonly (readonly [yaml: string, why: RegExp])[] = [
    ["listen: { keep_alive: 0s }", /:1:23: listen\.keep_alive: must be/],
    ["listen:\n  prot: 1", /:2:3: listen\.prot: is not a known key/],
    ["shutdown:\n  drain: 3", /:2:10: shutdown\.drain: needs a unit/],
    ["shutdown: { drain: 2147483648ms }", /:1:20: shutdown\.drain: must be/],
    ["upstreams:\n  default:\n    url: http://example.org", /:3:10: upstreams\.default\.url: must start with ws/],
    ["upstreams: { default: { url: 'wss://e.org', connect_within: 0s } }", /connect_within: must be/],
    ["upstreams: { default: { url: 'wss://e.org', limits: { in_flight: NaN } } }", /in_flight: must be/],
    ["upstreams: { default: { url: 'wss://e.org', protocol: soap } }", /protocol: must be a preset/],
    ["upstreams: { default: { url: 'wss://${SIDESOCKET_NOT_SET}' } }", /SIDESOCKET_NOT_SET, which is not set/],
    ["listen: [", /:\d+:\d+: /],
    ["", /is empty/],
  ];
  for (const [yaml, why] of wrong) {
    test(`${JSON.stringify(yaml)} is refused, with its place`, async (t) => {
      const file = await written(t, "side.yaml", yaml);
      const stderr = await refused(["--config", file, "--port", "0"], why);
      if (yaml !== "") assert.match(stderr, /side\.yaml:\d+:\d+: /);
    });
  }

  test("invalid options and variables are refused by name", async () => {
    await refused(["--port", "x"], /--port/);
    await refused(["--upstream", "ftp://x"], /--upstream/);
    await refused(["--config", "/does/not/exist"], /--config.*no such file/);
    await refused(["--no-such-option"], /no-such-option.*--help/);
    await refused(["nonsense"], /unknown command/);
    await refused([], /PORT/, { PORT: "99999" });
    await refused(["--port", "0"], /SIDESOCKET_TOKEN.*at least 32/, { SIDESOCKET_TOKEN: "short" });
    await refused(["--port", "0"], /SIDESOCKET_TOKEN.*empty/, { SIDESOCKET_TOKEN: "" });
  });

  test("check-config explains a valid file, and refuses an invalid one as a start does", async (t) => {
    const bad = await written(t, "bad.yaml", "listen:\n  prot: 1");
    await refused(["check-config", bad], /bad\.yaml:2:3: listen\.prot: is not a known key/);
    await refused(["check-config"], /one file/);
    const file = await written(t, "side.yaml", "upstreams: { default: { url: 'wss://example.org/x' } }");
    const { code, stdout, stderr } = await runProduct(["check-config", file]);
    assert.equal(code, 0);
    assert.match(stdout, /^ {4}url: wss:\/\/example\.org\/x$/m);
    assert.match(stdout, /^ {6}pong_within: 5s$/m, "a default");
    assert.match(stderr, /^ok\n$/);
    const copy = await written(t, "copy.yaml", stdout);
    assert.deepEqual((await runProduct(["check-config", copy])).stdout, stdout);
  });

  test("--help, --version and --config-schema print and exit", async () => {
    const help = await runProduct(["--help"]);
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    for (const word of ["--upstream", "SIDESOCKET_UPSTREAM_URL", "check-config", "--token-file"]) {
      assert.ok(help.stdout.includes(word), word);
    }
    assert.match((await runProduct(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
    const schema = JSON.parse((await runProduct(["--config-schema"])).stdout) as { properties: object };
    const keys = ["$schema", "listen", "upstreams", "cluster", "replies", "limits", "quota", "shutdown", "watch"];
    assert.deepEqual(Object.keys(schema.properties), keys);
  });
});
