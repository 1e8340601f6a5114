/** Exits of the process: in order, within their bounds, with one report, and with a response for every caller. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Behaviour, startFaultUpstream } from "../faults/upstream.ts";
import { encodeRequest, RawConnection, rawRequest } from "../support/http.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { type ExitReport, logLines, reportsIn } from "../support/report.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem, rpcProblem, timed } from "./expect.ts";

const REQUEST = "/v1/upstreams/default/request";
const call = (method: string, params: unknown = [], id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });
/** Signals that are this far apart are two wishes, with a margin for a busy machine. */
const ANOTHER_WISH_MS = 600;
const stopping = { status: 503, code: "shutting_down", sent: "no" } as const;
const cancelled = { status: 503, code: "cancelled", sent: "maybe" } as const;

async function start(
  t: Cleanup,
  shutdown: Config = {},
): Promise<{ readonly upstream: Upstream; readonly product: Product }> {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ config: { shutdown, upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  return { upstream, product };
}

const steps = (report: ExitReport) => report.steps.map(({ step, outcome }) => `${step} ${outcome}`);
const counts = (report: ExitReport, name: string) => report.steps.find(({ step }) => step === name)?.counts ?? {};
const ALL_DONE = ["drain done", "stop done", "close done", "cancel done", "join done"];

/** Parses the report, which must be the one line of JSON on stderr and the last line. */
function printed(product: Product): ExitReport {
  const line = product.stderr().trimEnd().split("\n").at(-1) ?? "";
  assert.equal(product.reports().length, 1, product.stderr());
  assert.deepEqual(reportsIn(logLines(line)), [product.report()], "the last line");
  return product.report();
}

async function shutDown(product: Product, query = ""): Promise<ExitReport> {
  const response = await product.fetch(`/shutdown${query}`, { method: "POST" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return (await response.json()) as ExitReport;
}

test("the drain waits for a caller's reply and agreement, and not for a subscription that nobody waits for", async (t) => {
  const upstream = await startUpstream({ t });
  const never = { request: call("silent"), match: { "/method": "never" } };
  const product = await startProduct({
    config: { shutdown: { drain: "20s" }, upstreams: { default: { url: upstream.url, subscriptions: { never } } } },
    t,
  });
  await product.ready();
  const soon = product.request(call("sleep", [300]));
  const agreed = product.post("/v1/upstreams/default/subscriptions", {
    name: "later",
    request: call("sleep", [600]),
    match: { "/method": "later" },
  });
  await upstream.until(() => upstream.messages.length === 3);
  product.child.signal("SIGTERM");
  assert.equal((await soon).status, 200);
  assert.equal((await agreed).status, 201, await (await agreed).text());
  await product.ended();
  const report = printed(product);
  assert.deepEqual(steps(report), ALL_DONE);
});

for (const cause of ["SIGTERM", "SIGINT", "/shutdown"] as const) {
  test(`idle, ${cause} ends it at once with code 0, a report and close code 1001`, async (t) => {
    const { upstream, product } = await start(t);
    const answered = cause === "/shutdown" ? shutDown(product) : undefined;
    const [{ code, signal }, ms] = await timed(cause === "/shutdown" ? product.ended() : product.stop(cause));
    assert.deepEqual([code, signal], [0, null]);
    assert.ok(ms < 2_000, `${ms} ms`);
    const report = printed(product);
    assert.deepEqual([report.cause, report.forced, report.exit_code], [cause, false, 0]);
    assert.deepEqual(steps(report), ALL_DONE);
    assert.ok(report.steps.every((step) => step.ms >= 0 && step.ms <= report.ms));
    assert.deepEqual(counts(report, "join"), { joined: 1, threads: 1 });
    assert.deepEqual(counts(report, "close"), {
      upstreams: [{ upstream: "default", code: 1001, by: "us", forced: false }],
    });
    if (answered) assert.deepEqual(await answered, report);
    assert.equal(upstream.last.closed?.code, 1001);
    assert.equal(upstream.connections.length, 1);
  });

  test(`with requests pending, ${cause} lets arriving replies in and cancels the others`, async (t) => {
    const { upstream, product } = await start(t, { drain: "1s" });
    const soon = product.request(call("sleep", [150], "soon"));
    const soonRpc = product.rpc(call("sleep", [150], "soon"));
    const never = product.request(call("silent"));
    const neverRpc = product.rpc(call("silent", [], "never"));
    await upstream.until(() => upstream.messages.length === 4);
    const answered = cause === "/shutdown" ? shutDown(product) : undefined;
    if (cause !== "/shutdown") product.child.signal(cause);
    for (const response of [await soon, await soonRpc]) {
      assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: "soon", result: [150] });
    }
    await problem(await never, cancelled);
    await rpcProblem(await neverRpc, { ...cancelled, status: 200, id: "never" });
    assert.equal((await product.ended()).code, 0);
    const report = printed(product);
    assert.deepEqual(steps(report), ["drain forced", ...ALL_DONE.slice(1)]);
    assert.deepEqual([counts(report, "drain").replied, counts(report, "drain").left], [2, 2]);
    assert.deepEqual(counts(report, "cancel").cancelled, { no: 0, maybe: 2, yes: 0 });
    assert.equal(report.forced, false, "an exceeded drain bound is not force");
    if (answered) assert.deepEqual(await answered, report);
    assert.equal(upstream.last.closed?.code, 1001);
  });
}

test("during drain it is not ready, refuses new work and announces the end of the connection", async (t) => {
  const { upstream, product } = await start(t);
  const pending = product.request(call("sleep", [1_500]));
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  await until(async () => (await rawRequest(product, { path: "/readyz" })).status === 503, { within: 1_200 });
  assert.match((await rawRequest(product, { path: "/readyz" })).body, /"status":"shutting_down"/);
  assert.equal((await rawRequest(product, { path: "/livez" })).status, 200);
  const connection = await RawConnection.open(product, t);
  const headers = { "Content-Type": "application/json" };
  connection.send({ method: "POST", path: REQUEST, headers, body: JSON.stringify(call("echo")) });
  const refused = await connection.response();
  assert.equal(refused.headers.get("connection"), "close");
  await problem(refused, stopping);
  await connection.closed();
  const body = JSON.stringify(call("echo", [], "mine"));
  await rpcProblem(await rawRequest(product, { method: "POST", path: "/rpc", headers, body }), stopping);
  assert.equal((await pending).status, 200);
  assert.equal((await product.ended()).code, 0);
  assert.equal(upstream.messages.length, 1);
});

test("from the signal on each response ends its connection, and an idle one ends with a last one", async (t) => {
  const { product } = await start(t, { delay: "400ms" });
  const [asking, idle] = [await RawConnection.open(product, t), await RawConnection.open(product, t)];
  const headers = { "Content-Type": "application/json" };
  const request = { method: "POST", path: REQUEST, headers, body: JSON.stringify(call("echo")) };
  for (const caller of [asking, idle]) {
    caller.send(request);
    assert.notEqual((await caller.response()).headers.get("connection"), "close");
  }
  product.child.signal("SIGTERM");
  await product.until(() => product.stderr().includes("SIGTERM received"));
  asking.send(request);
  const last = await asking.response();
  assert.deepEqual([last.status, last.headers.get("connection")], [200, "close"]);
  assert.equal(await asking.closed(), "fin");
  const ending = await idle.response();
  assert.deepEqual([ending.status, ending.headers.get("connection")], [408, "close"]);
  const { code, sent, retry_safe } = JSON.parse(ending.body) as Record<string, unknown>;
  assert.deepEqual([code, sent, retry_safe], ["shutting_down", "no", true]);
  assert.equal(ending.headers.get("sidesocket-sent"), "no");
  assert.equal(await idle.closed(), "fin");
  assert.equal((await product.ended()).code, 0);
});

test("requests not yet handed to the socket fail as shutting_down", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
  const product = await startProduct({ upstream, t });
  const held = product.request(call("echo"));
  await until(async () => (await product.state()).in_flight === 1);
  product.child.signal("SIGTERM");
  await problem(await held, stopping);
  assert.equal((await product.ended()).code, 0);
});

test("twenty concurrent /shutdown and a signal cause one exit with one report for all", async (t) => {
  const { upstream, product } = await start(t);
  const pending = product.request(call("sleep", [100]));
  await upstream.until(() => upstream.messages.length === 1);
  const all = Array.from({ length: 20 }, () => shutDown(product));
  product.child.signal("SIGINT");
  const reports = await Promise.all(all);
  assert.equal((await product.ended()).code, 0, "a first signal is not force");
  const report = printed(product);
  for (const each of reports) assert.deepEqual(each, report);
  assert.equal((await pending).status, 200);
});

test("a second signal turns the remaining bounds to zero", async (t) => {
  const { upstream, product } = await start(t, { drain: "20s", close: "20s" });
  const pending = product.request(call("silent"));
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  await product.until(() => product.stderr().includes("SIGTERM received"));
  await delay(ANOTHER_WISH_MS);
  const [{ code, signal }, ms] = await timed(product.stop("SIGTERM"));
  assert.deepEqual([code, signal], [1, null]);
  assert.ok(ms < 3_000, `${ms} ms`);
  await problem(await pending, cancelled);
  const report = printed(product);
  assert.deepEqual([report.forced, report.exit_code], [true, 1]);
});

test("/shutdown?force=true turns all bounds to zero; other values are refused", async (t) => {
  const { upstream, product } = await start(t, { drain: "20s", close: "20s" });
  const bad = await product.fetch("/shutdown?force=perhaps", { method: "POST" });
  await problem(bad, { status: 400, code: "invalid_request", sent: "no", detail: /force/ });
  const pending = product.request(call("silent"));
  await upstream.until(() => upstream.messages.length === 1);
  const [report, ms] = await timed(shutDown(product, "?force=true"));
  assert.ok(ms < 3_000, `${ms} ms`);
  await problem(await pending, cancelled);
  assert.equal((await product.ended()).code, report.exit_code);
  assert.deepEqual(printed(product), report);
  const entry = await product.line(({ message }) => message === "shutdown requested");
  assert.match(JSON.stringify(entry), /"client\.address":"127\.0\.0\.1"/, "the caller is logged");
});

test("an upstream that never answers the close is broken off after the close bound: code 1", async (t) => {
  const upstream = await startFaultUpstream({ onClose: false, onEnd: false }, { t });
  const config = { shutdown: { close: "400ms" }, upstreams: { default: { url: upstream.url } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const { code, ms } = await product.stop();
  assert.equal(code, 1);
  assert.ok(ms >= 395 && ms < 3_000, `${ms} ms`);
  const report = printed(product);
  assert.deepEqual(steps(report), ["drain done", "stop done", "close forced", "cancel done", "join done"]);
  assert.equal(report.forced, true);
  const close = report.steps.find(({ step }) => step === "close");
  assert.ok(close && close.ms >= 395 && close.ms < 1_000, `${close?.ms} ms`);
  assert.equal(upstream.last.closeFrame?.code, 1001);
});

test("stalled clients do not hold it up and are cut", async (t) => {
  const { product } = await start(t, { answer: "20s" }); // so that only being cut can end them in time
  const [silent, header, body] = [
    await RawConnection.open(product, t),
    await RawConnection.open(product, t),
    await RawConnection.open(product, t),
  ];
  header.write("POST /rpc HTTP/1.1\r\nHost: ");
  const headers = { "Content-Type": "application/json", "Content-Length": "100" };
  const { host } = new URL(product.url);
  const half = { method: "POST", path: REQUEST, headers, body: "{" };
  body.write(Buffer.concat([encodeRequest({ path: "/livez" }, host), encodeRequest(half, host)]));
  assert.equal((await body.response()).status, 200); // and thus the half-sent one has arrived, too
  await product.fetch("/livez").then((response) => response.body?.cancel()); // an idle kept-alive connection
  const { code, ms } = await product.stop();
  assert.equal(code, 0, product.stderr());
  assert.ok(ms < 3_000, `${ms} ms`);
  for (const connection of [silent, header, body]) await connection.closed();
  await problem(await body.response(), stopping);
});

const phases: ReadonlyMap<string, readonly [Behaviour, more?: Config]> = new Map([
  ["connecting", [{ handshake: { do: "silent" } }]],
  ["refused", [{ handshake: { do: "refuse", status: 403 } }]],
  ["waiting", [{ handshake: { do: "end" } }, { reconnect: { from: "20s", to: "20s" } }]],
  ["greeting", [{}, { greeting: [{ expect: { match: { "/type": "never" }, within: "20s" } }] }]],
]);
for (const [phase, [behaviour, more]] of phases) {
  test(`in phase ${phase} a signal ends it at once with code 0`, async (t) => {
    const upstream = await startFaultUpstream(behaviour, { t });
    const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, ...more } } }, t });
    await until(async () => (await product.state()).phase === phase);
    const { code, ms } = await product.stop();
    assert.equal(code, 0, product.stderr());
    assert.ok(ms < 2_000, `${ms} ms`);
    assert.deepEqual(steps(printed(product)), ALL_DONE);
    const ended = () => upstream.peers.every((peer) => peer.phase === "ended");
    await upstream.until(ended, { within: 2_000, what: "the sockets to end" });
  });
}

test("under load a signal ends it with code 0, and every response is correct", async (t) => {
  const { upstream, product } = await start(t);
  const codes = new Map<string, number>();
  const clients = Array.from({ length: 30 }, async (_, client) => {
    for (let n = 0; ; n += 1) {
      const response = await product.request(call("echo", [client, n], n)).catch(() => undefined);
      if (response === undefined) return; // the listener has closed
      const text = await response.text();
      const code = response.headers.get("sidesocket-code") ?? "ok";
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code === "ok") assert.equal(text, `{"jsonrpc":"2.0","id":${n},"result":[${client},${n}]}`);
      if (code === "shutting_down") return;
    }
  });
  await until(() => (codes.get("ok") ?? 0) > 300);
  const { code, ms } = await product.stop();
  await Promise.all(clients);
  assert.equal(code, 0, product.stderr());
  assert.ok(ms < 4_000, `${ms} ms`);
  assert.deepEqual(
    [...codes.keys()].filter((each) => each !== "ok" && each !== "shutting_down"),
    [],
  );
  assert.equal(printed(product).forced, false);
  assert.equal(upstream.last.closed?.code, 1001);
});
