/** Proxies on the way to upstreams and receivers: those that lead there, and those that do not. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { freePort } from "../support/free-port.ts";
import { runProduct, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { authority, good } from "./certificates.ts";
import { assertQuiet, QUICK, scenes } from "./scene.ts";
import { closing, connectProxy, saying, silent, socksProxy, startTunnelProxy } from "./tunnel-proxy.ts";

const PASSWORD = "c4n4ry-of-the-proxy";

test("upstreams and receivers are reached through proxies of every scheme, in TLS or not", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-proxy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ca = join(folder, "ca.pem");
  await writeFile(ca, authority);
  await writeFile(join(folder, "password"), PASSWORD);
  const plain = await startUpstream({ t });
  const server = createHttpsServer(good).listen(0, "127.0.0.1");
  const sockets = new WebSocketServer({ server });
  await once(server, "listening");
  const delivered: string[] = [];
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    delivered.push(request.headers.host ?? "");
    response.end();
  };
  const receiver = createServer(receive).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  t.after(() => {
    sockets.close();
    server.close();
    server.closeAllConnections();
    receiver.close();
    receiver.closeAllConnections();
  });
  const portOf = (each: { address(): unknown }) => (each.address() as AddressInfo).port;
  const secure = { url: `wss://127.0.0.1:${portOf(server)}/`, ca };

  const asked: string[] = [];
  const http = await startTunnelProxy({ t, answer: connectProxy(asked, `anna:${PASSWORD}`) });
  const https = await startTunnelProxy({ t, answer: connectProxy(asked), certificate: good });
  const socks = await startTunnelProxy({ t, answer: socksProxy(asked) });
  const httpProxy = `http://anna:\${file:${folder}/password}@127.0.0.1:${http.port}`;
  const local = `ws://localhost:${plain.port}/`;
  const config = {
    upstreams: {
      http: {
        url: plain.url,
        proxy: httpProxy,
        webhooks: [{ url: `http://127.0.0.1:${portOf(receiver)}/`, proxy: httpProxy }],
      },
      tls: { ...secure, proxy: httpProxy },
      https: { url: plain.url, proxy: `https://127.0.0.1:${https.port}` },
      doubled: { ...secure, proxy: `https://127.0.0.1:${https.port}` },
      socks5h: { url: local, proxy: `socks5h://127.0.0.1:${socks.port}` },
      socks5: { url: local, proxy: `socks5://localhost:${socks.port}` },
      wss: { ...secure, proxy: `socks5h://127.0.0.1:${socks.port}` },
      env: { url: plain.url, proxy: "env" },
    },
  };
  const env = { NODE_EXTRA_CA_CERTS: ca, DENO_CERT: ca, HTTPS_PROXY: `http://127.0.0.1:${await freePort()}` };
  const product = await startProduct({ config, env, t });
  await product.ready();
  plain.broadcast("news");
  await until(() => delivered.length > 0, { what: "a delivery through the proxy" });
  const target = (port: number) => `127.0.0.1:${port}`;
  assert.deepEqual(
    new Set(asked),
    new Set([
      target(plain.port),
      target(portOf(server)),
      target(portOf(receiver)),
      `name localhost:${plain.port}`,
      `address ${target(plain.port)}`,
      `address ${target(portOf(server))}`,
    ]),
  );
  const reply = await product.post("/v1/upstreams/socks5/request", {
    jsonrpc: "2.0",
    id: 1,
    method: "echo",
    params: [7],
  });
  assert.equal(((await reply.json()) as { readonly result?: unknown[] }).result?.[0], 7);
  assert.equal((await product.stop()).code, 0, product.stderr());
  assert.ok(!(product.stdout() + product.stderr()).includes(PASSWORD), "the password was shown");
});

test("row 55: each proxy that leads nowhere has its own reason, and leaves nothing behind", async (t) => {
  const upstream = await startUpstream({ t });
  const start = (answer: Parameters<typeof startTunnelProxy>[0]["answer"]) => startTunnelProxy({ t, answer });
  const login = await start(connectProxy([], "anna:right"));
  const proxies = {
    silent: await start(silent),
    socksSilent: await start(silent),
    half: await start(saying("HTTP/1.1 200 OK\r\nX: y")),
    garbage: await start(saying("SSH-2.0-OpenSSH\r\n")),
    endless: await start(saying(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(20_000)}`)),
    early: await start(saying("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n")),
    closing: await start(closing),
    forbidden: await start(saying("HTTP/1.1 403 Filtered\r\nContent-Length: 0\r\n\r\n")),
    gateway: await start(saying("HTTP/1.1 502 Bad gateway\r\n\r\n")),
    socksRefused: await start((heard, client) =>
      client.write(heard[2] === 0 && heard.length === 3 ? "\x05\x00" : "\x05\x05"),
    ),
    socksRules: await start((heard, client) => client.write(heard.length === 3 ? "\x05\x00" : "\x05\x02")),
    noSocks: await start(saying("HTTP/1.1 400 Bad request\r\n\r\n")),
  };
  // Of the ports that are free now: an earlier one may be that of a proxy.
  const nobody = await freePort();
  const at = ({ port }: { readonly port: number }, scheme = "http") => `${scheme}://127.0.0.1:${port}`;
  const socks = (server: { readonly port: number }) => at(server, "socks5h");
  const shown = (text: string) => text.replace("PROXY", String.raw`the proxy \w+:\/\/127\.0\.0\.1:\d+`);
  const rows: Readonly<Record<string, readonly [proxy: string, reason: string, phase?: string]>> = {
    nobody: [`http://127.0.0.1:${nobody}`, "PROXY could not be reached .ECONNREFUSED."],
    silent: [at(proxies.silent), "no connection within 200 ms .connect_within.: PROXY has not answered"],
    socks_silent: [socks(proxies.socksSilent), "no connection within 200 ms .connect_within.: PROXY has not answered"],
    half: [at(proxies.half), "no connection within 200 ms .connect_within.: PROXY has not answered"],
    garbage: [at(proxies.garbage), "PROXY answered CONNECT with something else than HTTP"],
    endless: [at(proxies.endless), "PROXY sent no end of its answer"],
    early: [at(proxies.early), "PROXY sent more than its answer"],
    closing: [at(proxies.closing), "PROXY ended the connection before it answered"],
    asks: [at(login), "PROXY asks for credentials .HTTP 407.", "refused"],
    login: [`http://anna:${PASSWORD}@127.0.0.1:${login.port}`, "PROXY refused the credentials .HTTP 407.", "refused"],
    forbidden: [at(proxies.forbidden), "PROXY does not allow this connection .HTTP 403.", "refused"],
    gateway: [at(proxies.gateway), "PROXY could not reach the upstream .HTTP 502."],
    socks_refused: [socks(proxies.socksRefused), "PROXY could not reach the upstream .connection refused."],
    socks_rules: [socks(proxies.socksRules), "PROXY does not allow this connection .its rules.", "refused"],
    no_socks: [socks(proxies.noSocks), "PROXY does not answer as SOCKS 5 does"],
    no_tls: [at(login, "https"), "PROXY could not be reached|has not answered"],
  };
  const reconnect = { ...QUICK, refused: "100ms" };
  const upstreams = Object.entries(rows).map(
    ([name, [proxy]]) => [name, [upstream, { proxy, reconnect, connect_within: "200ms" }]] as const,
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  for (const [name, [, reason, phase]] of Object.entries(rows)) {
    await of(name).logged(new RegExp(`^${shown(reason)}`));
    if (phase !== undefined) await of(name).logged(new RegExp(shown(reason)));
    const [{ product }] = [of(name)];
    const response = await product.post(`/v1/upstreams/${name}/request?timeout=2s`, {
      jsonrpc: "2.0",
      id: 1,
      method: "echo",
    });
    const problem = (await response.json()) as { readonly code?: string; readonly sent?: string };
    assert.deepEqual([problem.code, problem.sent], ["upstream_down", "no"], name);
  }
  await until(() => Object.values(proxies).every((proxy) => proxy.count() >= 4), { what: "four attempts at each" });
  const open = () => Object.entries(proxies).map(([name, proxy]) => `${name}: ${proxy.open.size}`);
  await until(() => Object.values(proxies).every((proxy) => proxy.open.size <= 1), { what: () => `one of ${open()}` });
  const { product } = of("login");
  const metrics = await (await product.fetch("/metrics")).text();
  assert.match(metrics, /failed_attempts_total\{.*upstream="login".*"proxy_credentials".*\}/);
  assert.equal((await product.stop()).code, 0, product.stderr());
  assertQuiet(product);
  assert.ok(!(product.stdout() + product.stderr()).includes(PASSWORD), "the password was shown");
  await until(() => Object.values(proxies).every(({ open }) => open.size === 0), { what: "every connection to end" });
  assert.equal(upstream.connections.length, 0);
});

test("row 55: a proxy that is silent or refuses fails a delivery with its own reason, and holds no stop", async (t) => {
  const upstream = await startUpstream({ t });
  const dumb = await startTunnelProxy({ t, answer: silent });
  const forbidding = await startTunnelProxy({ t, answer: saying("HTTP/1.1 403 No\r\n\r\n") });
  const through = ({ port }: { readonly port: number }, timeout: string) => {
    return { url: "https://receiver.invalid/", proxy: `http://127.0.0.1:${port}`, timeout };
  };
  const webhooks = [through(dumb, "150ms"), through(forbidding, "10s")];
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, webhooks } } }, t });
  await product.ready();
  upstream.broadcast("news");
  const reasons = async () =>
    ((await product.state()) as { readonly webhooks?: readonly { readonly last_error?: string }[] }).webhooks?.map(
      ({ last_error: error }) => error ?? "",
    ) ?? [];
  await until(async () => (await reasons()).every((reason) => reason !== ""), { what: "both reasons" });
  const [late = "", refused = ""] = await reasons();
  assert.match(
    late,
    /^the receiver did not answer within 150 ms: the proxy http:\/\/127\.0\.0\.1:\d+ has not answered$/,
  );
  assert.match(refused, /could not be reached \(the proxy .* does not allow this connection \(HTTP 403\)\)$/);
  await until(() => dumb.count() >= 3, { what: "a third delivery" });
  await until(() => dumb.open.size <= 1, { what: "all deliveries but the last to be left" });
  assert.equal((await product.stop()).code, 0, product.stderr());
});

test("doctor checks the proxy first, and tells its faults from the upstream's", async (t) => {
  const upstream = await startUpstream({ t });
  const working = await startTunnelProxy({ t, answer: connectProxy() });
  const login = await startTunnelProxy({ t, answer: connectProxy([], "anna:right") });
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-proxy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, "config.yaml");
  const upstreams = {
    good: { url: upstream.url, proxy: `http://127.0.0.1:${working.port}` },
    asks: { url: upstream.url, proxy: `http://anna:${PASSWORD}@127.0.0.1:${login.port}` },
    nobody: { url: upstream.url, proxy: `socks5h://127.0.0.1:${await freePort()}` },
    nameless: { url: upstream.url, proxy: "http://no-such-proxy.invalid" },
  };
  await writeFile(config, JSON.stringify({ upstreams }));
  const ran = await runProduct(["doctor", "--config", config, "--port", "0"], { t });
  assert.equal(ran.code, 1, ran.stdout + ran.stderr);
  for (const line of [
    /^ok {4}proxy: used by good, asks, nobody, nameless$/m,
    /^ok {4}upstream good: 127\.0\.0\.1:\d+ accepts connections through the proxy http:\/\/127\.0\.0\.1:\d+$/m,
    /^ok {4}upstream good: the WebSocket is open/m,
    /^fail {2}upstream asks: the proxy \S+ refused the credentials \(HTTP 407\); correct the user and the password/m,
    /^fail {2}upstream nobody: the proxy \S+ could not be reached \(ECONNREFUSED\); correct the host and the port in proxy/m,
    /^fail {2}upstream nameless: no-such-proxy\.invalid cannot be resolved .*; correct the name in proxy/m,
  ]) {
    assert.match(ran.stdout, line);
  }
  assert.ok(!ran.stdout.includes(PASSWORD));
});
