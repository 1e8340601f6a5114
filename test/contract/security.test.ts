/** Access control, and secrets that never leave. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { startFaultUpstream } from "../faults/upstream.ts";
import { rawRequest } from "../support/http.ts";
import { type Product, runProduct, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem, refusedOn, rpcProblem } from "./expect.ts";

const FIRST = "first-token-0123456789abcdef0123456789";
const SECOND = "second-token-fedcba9876543210fedcba98";
const SHUTDOWN = "shutdown-token-00112233445566778899aa";
const REQUEST = "/v1/upstreams/default/request";
const echo = { jsonrpc: "2.0", id: 1, method: "echo", params: [] };
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const unauthorized = { status: 401, code: "unauthorized", sent: "no" } as const;

describe("with tokens", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    const env = { SIDESOCKET_TOKEN: `${FIRST}\n${SECOND}\n`, SIDESOCKET_SHUTDOWN_TOKEN: SHUTDOWN };
    product = await startProduct({ upstream, env });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  test("every route except the bare probes is 401 without a token or with a wrong one", async () => {
    const wrong = ["", "Bearer", `Bearer ${FIRST}x`, `Bearer ${FIRST.slice(1)}`, `Basic ${btoa(`u:${FIRST}`)}`, FIRST];
    for (const authorization of [undefined, ...wrong, `Bearer ${SHUTDOWN}`]) {
      const init: RequestInit = authorization === undefined ? {} : { headers: { authorization } };
      for (const path of [REQUEST, "/v1/upstreams/default/send", "/rpc"]) {
        const response = await product.post(path, echo, init);
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
        await refusedOn(path, response, unauthorized);
      }
      for (const path of ["/v1/upstreams", "/v1/upstreams/default", "/version", "/openapi.json", "/nothing"]) {
        await refusedOn(path, await product.fetch(path, init), unauthorized);
      }
    }
    assert.deepEqual(upstream.messages, []);
  });

  test("a token in the address does not count", async () => {
    for (const name of ["token", "access_token", "authorization"]) {
      await rpcProblem(await product.post(`/rpc?${name}=${FIRST}`, echo), unauthorized);
    }
  });

  test("either of two tokens opens the API, so that one can be replaced while both work", async () => {
    for (const token of [FIRST, SECOND]) {
      assert.equal((await product.request(echo, bearer(token))).status, 200);
      assert.equal((await product.fetch("/v1/upstreams", bearer(token))).status, 200);
    }
  });

  test("the probes need no token and no Host, but show details only with a token", async () => {
    for (const path of ["/livez", "/readyz", "/healthz"]) {
      const bare = await rawRequest(product, { path, headers: { Host: "10.0.0.7:8787" } });
      assert.equal(bare.status, 200, path);
      assert.deepEqual(Object.keys(JSON.parse(bare.body)), ["status"]);
    }
    const bare = await (await product.fetch("/readyz")).json();
    assert.deepEqual(bare, { status: "ready" });
    const full = await (await product.fetch("/readyz", bearer(SECOND))).json();
    assert.deepEqual(full, { status: "ready", upstreams: { default: "ready" }, errors: {} });
  });

  test("a foreign Host is refused even with the token", async () => {
    const headers = { Host: "evil.example", Authorization: `Bearer ${FIRST}` };
    const answer = await rawRequest(product, { path: "/version", headers });
    await problem(answer, { status: 421, code: "misdirected", sent: "no" });
  });

  test("a Host, a token or a type that comes twice is refused, whichever is first", async () => {
    const own = `127.0.0.1:${product.port}`;
    const token = { Authorization: `Bearer ${FIRST}` };
    for (const Host of [
      [own, "evil.example"],
      ["evil.example", own],
    ]) {
      const answer = await rawRequest(product, { path: "/version", headers: { Host, ...token } });
      await problem(answer, { status: 400, code: "invalid_request", sent: "no" });
    }
    for (const wrong of ["Bearer wrong", `Bearer ${SECOND}`]) {
      const Authorization = [`Bearer ${FIRST}`, wrong];
      await problem(await rawRequest(product, { path: "/version", headers: { Authorization } }), unauthorized);
    }
    const types = { ...token, "Content-Type": ["application/json", "text/html"] };
    const typed = await rawRequest(product, { method: "POST", path: REQUEST, headers: types, body: "{}" });
    await problem(typed, { status: 415, code: "unsupported_media_type", sent: "no" });
  });

  test("/shutdown requires its own token, by POST only", async () => {
    for (const init of [{}, bearer(FIRST), bearer(`${SHUTDOWN}x`)]) {
      await problem(await product.fetch("/shutdown", { method: "POST", ...init }), unauthorized);
    }
    await problem(await product.fetch(`/shutdown?token=${SHUTDOWN}`, { method: "POST" }), unauthorized);
    const get = await product.fetch("/shutdown", bearer(SHUTDOWN));
    await problem(get, { status: 405, code: "method_not_allowed", sent: "no" });
    const response = await product.fetch("/shutdown", { method: "POST", ...bearer(SHUTDOWN) });
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { cause: string }).cause, "/shutdown");
    assert.equal((await product.ended()).code, 0);
  });
});

describe("for web pages of an allowed origin", () => {
  const origin = "https://app.example";
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    const config = { listen: { origins: [origin] }, upstreams: { default: { url: upstream.url } } };
    product = await startProduct({ config, env: { SIDESOCKET_TOKEN: FIRST } });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  test("the preflight needs no token, which browsers do not send with it", async () => {
    const preflight = {
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization,content-type",
    };
    const allowed = await rawRequest(product, {
      method: "OPTIONS",
      path: REQUEST,
      headers: { Origin: origin, ...preflight },
    });
    assert.equal(allowed.status, 204, allowed.body);
    assert.equal(allowed.headers.get("access-control-allow-origin"), origin);
    assert.match(allowed.headers.get("access-control-allow-methods") ?? "", /POST/);
    const headers = allowed.headers.get("access-control-allow-headers") ?? "";
    for (const name of [/authorization/i, /last-event-id/i]) assert.match(headers, name);
    assert.equal(allowed.headers.get("access-control-allow-credentials"), undefined);
    const evil = { Origin: "https://evil.example", ...preflight };
    const refused = await rawRequest(product, { method: "OPTIONS", path: REQUEST, headers: evil });
    await problem(refused, { status: 403, code: "forbidden", sent: "no" });
    assert.equal(refused.headers.get("access-control-allow-origin"), undefined);
  });

  test("replies and failures carry the headers that let the page read them", async () => {
    const headers = { Origin: origin, Authorization: `Bearer ${FIRST}`, "Content-Type": "application/json" };
    for (const [body, status] of [
      [JSON.stringify(echo), 200],
      ["{", 400],
    ] as const) {
      const answer = await rawRequest(product, { method: "POST", path: REQUEST, headers, body });
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get("access-control-allow-origin"), origin);
      assert.match(answer.headers.get("access-control-expose-headers") ?? "", /Sidesocket-Sent.*Sidesocket-Upstream/i);
      assert.match(answer.headers.get("vary") ?? "", /origin/i);
    }
  });

  test("the page still needs the token, and can read that it does", async () => {
    const headers = { Origin: origin, "Sec-Fetch-Site": "cross-site" };
    const answer = await rawRequest(product, { path: "/version", headers });
    await problem(answer, unauthorized);
    assert.equal(answer.headers.get("access-control-allow-origin"), origin);
  });
});

test("a host that other machines can reach is refused without a token", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org"]) {
    const { code, stdout, stderr, ms } = await runProduct(["--host", host, "--port", "0"]);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /--host.*token.*--insecure/s);
    assert.ok(ms < 5_000, `${ms} ms`);
  }
});

test("any address may be listened on with a token or with --insecure", async (t) => {
  const upstream = await startUpstream({ t });
  const withToken = await startProduct({ upstream, t, args: ["--host", "0.0.0.0"], env: { SIDESOCKET_TOKEN: FIRST } });
  const there = `http://127.0.0.1:${withToken.port}`;
  const headers = { Host: "sidesocket.internal", Authorization: `Bearer ${FIRST}` };
  assert.equal((await rawRequest(there, { path: "/version", headers })).status, 200);
  assert.equal((await rawRequest(there, { path: "/version" })).status, 401);
  const open = await startProduct({ upstream, t, args: ["--host", "0.0.0.0", "--insecure"] });
  assert.equal((await rawRequest(`http://127.0.0.1:${open.port}`, { path: "/version" })).status, 200);
  await open.said(/--insecure/);
});

test("/shutdown and /reload are never open beyond loopback: without a token of its own or of the API it is 403", async (t) => {
  const upstream = await startUpstream({ t });
  const args = ["--host", "0.0.0.0", "--insecure"];
  const stop = { method: "POST", path: "/shutdown" };
  const open = await startProduct({ upstream, t, args });
  const refused = await rawRequest(`http://127.0.0.1:${open.port}`, stop);
  await problem(refused, { status: 403, code: "forbidden", sent: "no", detail: /SIDESOCKET_SHUTDOWN_TOKEN/ });
  assert.equal((await rawRequest(`http://127.0.0.1:${open.port}`, { ...stop, path: "/reload" })).status, 403);
  assert.equal((await open.stop()).code, 0);
  const guarded = await startProduct({ upstream, t, args, env: { SIDESOCKET_SHUTDOWN_TOKEN: SHUTDOWN } });
  const there = `http://127.0.0.1:${guarded.port}`;
  assert.equal((await rawRequest(there, stop)).status, 401);
  assert.equal((await rawRequest(there, { ...stop, path: "/reload" })).status, 401);
  assert.equal((await rawRequest(there, { ...stop, ...bearer(SHUTDOWN) })).status, 200);
});

test("every loopback address knows its own name", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t, args: ["--host", "127.0.0.2"] });
  for (const host of [`127.0.0.2:${product.port}`, `127.0.0.1:${product.port}`, `localhost:${product.port}`])
    assert.equal((await rawRequest(product, { path: "/version", headers: { Host: host } })).status, 200, host);
  const foreign = await rawRequest(product, { path: "/version", headers: { Host: `127.0.0.3:${product.port}` } });
  assert.equal(foreign.status, 421);
});

test("a secret on the command line is warned of, and hidden in the list of processes", {
  skip: process.platform === "linux" ? false : "only Linux has /proc",
}, async (t) => {
  const upstream = await startUpstream({ t });
  const args = ["--upstream-header", "Authorization: Bearer canary-on-the-command-line"];
  const product = await startProduct({ upstream, t, args, env: { SIDESOCKET_TOKEN: FIRST } });
  await product.until(() => /--upstream-header: .*list of processes/.test(product.stderr()));
  await product.said(/SIDESOCKET_TOKEN: .*environment.*SIDESOCKET_TOKEN_FILE/);
  assert.doesNotMatch(await readFile(`/proc/${product.pid}/cmdline`, "latin1"), /canary/);
  assert.doesNotMatch(product.stderr(), /canary/);
});

test("credentials are not sent in the clear to another machine", async () => {
  const secret = "canary-in-the-clear";
  const clear = [
    ["--upstream", `ws://user:${secret}@example.org/`],
    ["--upstream", `ws://example.org/?access_token=${secret}`],
    ["--upstream", "ws://example.org/", "--upstream-header", `Authorization: Bearer ${secret}`],
    ["--upstream", "ws://192.0.2.1/", "--upstream-header", `X-Api-Key: ${secret}`],
  ];
  for (const args of clear) {
    const { code, stdout, stderr } = await runProduct([...args, "--port", "0"]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /in the clear.*wss:\/\//);
    assert.ok(!`${stdout}${stderr}`.includes(secret));
  }
});

test("no secret appears in any output or response, whatever fails", async (t) => {
  const canary = { user: "canary-user", pass: "canary-password", query: "canary-query", header: "canary-header" };
  const greeted = "canary-greeting";
  const tokens = {
    SIDESOCKET_TOKEN: `canary-token-${FIRST}`,
    SIDESOCKET_SHUTDOWN_TOKEN: `canary-shutdown-${SHUTDOWN}`,
  };
  const upstream = await startFaultUpstream(
    (n) => ({ handshake: n === 1 ? { do: "refuse", status: 503 } : { do: "accept" } }),
    { t },
  );
  const settings = {
    url: `ws://${canary.user}:${canary.pass}@127.0.0.1:${upstream.port}/path?key=${canary.query}`,
    headers: { Authorization: "Bearer ${CANARY_HEADER}", "X-Api-Key": canary.header },
    greeting: [{ send: { auth: greeted } }],
    reconnect: { from: "20ms", to: "50ms" },
  };
  const config = { listen: { origins: ["https://app.example"] }, upstreams: { default: settings } };
  const env = { ...tokens, CANARY_HEADER: canary.header };
  const product = await startProduct({ config, env, args: ["--log-level", "trace"], t });
  const seen: string[] = [];
  const makeRequest = async (path: string, init: RequestInit = {}, token = tokens.SIDESOCKET_TOKEN) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const response = await product.fetch(path, { headers, ...init });
    seen.push(JSON.stringify([...response.headers]), await response.text());
  };
  const post = (path: string, body: string, token?: string) => makeRequest(path, { method: "POST", body }, token);

  await post(REQUEST, JSON.stringify(echo)); // while it waits, or is held until it is ready
  await product.ready();
  for (const path of ["/readyz", "/v1/upstreams", "/v1/upstreams/default", "/version", "/openapi.json", "/nothing"]) {
    await makeRequest(path);
    await makeRequest(path, {}, `${FIRST}-canary-wrong`);
  }
  for (const body of [JSON.stringify(echo), "{", "", JSON.stringify({ ...echo, method: 1 })]) {
    for (const path of [REQUEST, "/rpc", "/v1/upstreams/default/send", "/v1/upstreams/none/request"]) {
      await post(path, body);
    }
  }
  const login = upstream.last.request?.headers;
  assert.equal(login?.get("x-api-key"), canary.header, "the upstream did receive them");
  assert.ok(upstream.texts[0]?.includes(greeted));
  upstream.last.reset();
  await until(async () => upstream.peers.length > 2);
  await upstream.stop();
  await until(async () => (await product.fetch("/readyz")).status === 503);
  await post(REQUEST, JSON.stringify(echo));
  await post("/shutdown", "", tokens.SIDESOCKET_SHUTDOWN_TOKEN);
  assert.equal((await product.ended()).code, 0);
  const everything = [...seen, product.stdout(), product.stderr()].join("\n");
  assert.equal(/.{0,80}canary.{0,80}/s.exec(everything)?.[0], undefined);
});

test("check-config and refusals show no secret either", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = "wss://canary-user:canary-pass@example.org/?token=canary-query";
  for (const wrong of [false, true]) {
    const file = join(folder, "config.json");
    const headers = { authorization: "canary-header", ...(wrong ? { host: "canary\nheader" } : {}) };
    await writeFile(file, JSON.stringify({ upstreams: { default: { url, headers, subprotocols: ["canary-token"] } } }));
    const { code, stdout, stderr } = await runProduct(["check-config", file]);
    assert.equal(code, wrong ? 2 : 0, stderr);
    assert.doesNotMatch(stdout + stderr, /canary/);
  }
});
