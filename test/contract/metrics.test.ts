/** Metrics: what a scrape tells of what has happened, who may scrape, and a scrape while something fails. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { RawConnection, rawRequest } from "../support/http.ts";
import { type Metrics, readMetrics, scrape } from "../support/metrics.ts";
import { type Product, runProduct, startProduct } from "../support/product.ts";
import { root } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem, timed } from "./expect.ts";
import { written } from "./files.ts";

const call = (method: string, params: unknown = [], id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });
const TOKEN = "metrics-token-of-thirty-two-characters";
const CANARY = "canary-that-nobody-may-see";
const AUTHORIZED = { headers: { authorization: `Bearer ${TOKEN}` } };

/** Blocks its thread for two seconds with each frame. */
const BLOCKING = `export default {
  name: "blocking",
  accepts: "any",
  encode: (message, id) => ({ frame: String(message), expectsReply: true }),
  decode() {
    for (const until = Date.now() + 2_000; Date.now() < until; );
    return { type: "message" };
  },
};`;

/** The address of the listener of its own for metrics, from the log. */
function metricsUrl(product: Product): string {
  const [, url] = /metrics on (http:[^\s"]+)/.exec(product.stderr()) ?? [];
  assert.ok(url !== undefined, product.stderr());
  return url;
}

describe("a service with a listener of its own for metrics", () => {
  const endings: (() => Promise<unknown>)[] = [];
  const t: Cleanup = { after: (end) => endings.unshift(async () => end()) };
  let upstream: Upstream;
  let product: Product;
  let own: string;

  before(async () => {
    upstream = await startUpstream({ t });
    const echo = await startUpstream({ t, onMessage: (message, connection) => connection.send(message) });
    const reconnect = { from: "20ms", to: "50ms" };
    const upstreams = {
      default: {
        url: `${upstream.url}/?key=${CANARY}`,
        reconnect,
        messages: { count: 4 },
        keepalive: { ping: "100ms" },
      },
      dead: { url: `ws://127.0.0.1:${await freePort()}`, required: false, reconnect },
      blocking: { url: echo.url, protocol: await written(t, "blocking.mjs", BLOCKING) },
    };
    const tokens = await written(t, "token", TOKEN);
    product = await startProduct({
      config: { listen: { metrics: { port: 0 } }, upstreams },
      args: ["--token-file", tokens],
      t,
    });
    await product.ready();
    own = metricsUrl(product);
  });
  after(async () => {
    for (const end of endings) await end();
  });

  const request = (body: unknown, query = "", name = "default"): Promise<Response> =>
    product.post(`/v1/upstreams/${name}/request${query}`, body, AUTHORIZED);

  test("a scrape counts calls, failures by code and sent, disconnects by close code, and gaps", async () => {
    for (const text of ["a", "b"]) assert.equal((await request(call("echo", [text]))).status, 200);
    const batch = [call("echo", [1], 1), call("echo", [2], 2)];
    assert.equal((await product.post("/rpc/default", batch, AUTHORIZED)).status, 200);
    const late = await request(call("silent"), "?timeout=50ms");
    assert.equal(late.status, 504);
    // A ping may have proven meanwhile that the message arrived.
    const sent = late.headers.get("sidesocket-sent") ?? "";
    await problem(await request(call("echo"), "", "dead"), { status: 503, code: "upstream_down", sent: "no" });
    assert.equal((await request(call("notify", [7]))).status, 200);
    const read = await product.fetch("/v1/upstreams/default/messages?after=earliest", AUTHORIZED);
    assert.match(await read.text(), /"gap"/);
    await problem(await request(call("close", [4001])), { status: 502, code: "connection_lost", sent: "maybe" });
    await until(async () => (await product.fetch("/readyz")).status === 200);

    const metrics = await scrape(own);
    const of = (name: string, labels = {}) => metrics.sum(name, { upstream: "default", ...labels });
    assert.equal(of("rpc_client_call_duration_seconds_count", { error_type: "reply_timeout" }), 1);
    assert.equal(of("rpc_client_call_duration_seconds_count"), 7);
    assert.equal(of("sidesocket_upstream_failures_total", { code: "reply_timeout", sent }), 1);
    assert.equal(of("sidesocket_upstream_failures_total", { code: "connection_lost", sent: "maybe" }), 1);
    const dead = { upstream: "dead", code: "upstream_down", sent: "no" };
    assert.equal(metrics.sum("sidesocket_upstream_failures_total", dead), 1);
    assert.equal(metrics.sum("rpc_client_call_duration_seconds_count", { upstream: "dead" }), 0);
    const refused = metrics.sum("sidesocket_upstream_failed_attempts_total", { upstream: "dead", reason: "network" });
    assert.ok(refused !== undefined && refused > 0, metrics.text);
    assert.equal(of("sidesocket_upstream_disconnects_total", { code: "4001" }), 1);
    assert.equal(of("sidesocket_upstream_connects_total"), 2);
    assert.equal(of("sidesocket_upstream_messages_total"), 7);
    assert.equal(of("sidesocket_upstream_messages_evicted_total"), 4, "the away gap needs a place, too");
    assert.equal(of("sidesocket_upstream_messages_missed_total"), 3);
    assert.equal(of("sidesocket_upstream_gaps_total", { reason: "overflow" }), 1);
    assert.equal(of("sidesocket_upstream_state", { phase: "ready" }), 1);
    assert.equal(of("sidesocket_upstream_state"), 1);
    assert.equal(metrics.sum("sidesocket_upstream_state", { upstream: "dead", phase: "ready" }), 0);
    const now = Date.now() / 1_000;
    for (const name of ["sidesocket_upstream_last_frame_timestamp_seconds", "sidesocket_upstream_state_since_seconds"])
      assert.ok(Math.abs((of(name) ?? 0) - now) < 30, name);
    assert.equal(metrics.sum("sidesocket_thread_up"), 3);
    assert.ok(!metrics.text.includes(CANARY) && !metrics.text.includes(TOKEN));
  });

  test("HTTP requests are counted by template, method, status and code, and no caller adds a label", async () => {
    const count = async (labels: Readonly<Record<string, string>>) =>
      (await scrape(own)).sum("http_server_request_duration_seconds_count", labels) ?? 0;
    const served = {
      http_route: "/v1/upstreams/{upstream}/request",
      http_request_method: "POST",
      http_response_status_code: "200",
    };
    const before = await count(served);
    assert.equal((await request(call("echo"))).status, 200);
    assert.equal(await count(served), before + 1);
    assert.equal(await count({ http_response_status_code: "504", error_type: "reply_timeout" }), 1);

    const typed = { ...AUTHORIZED.headers, "content-type": "application/json" };
    for (const [init, status] of [
      [{ method: "POST" }, "401"],
      [{ method: "POST", headers: typed, body: "" }, "400"],
      [{ ...AUTHORIZED, method: "PUT" }, "405"],
    ] as const) {
      const response = await product.fetch("/v1/upstreams/default/request", init);
      await response.body?.cancel();
      assert.equal(String(response.status), status);
      assert.equal(await count({ http_route: served.http_route, http_response_status_code: status }), 1);
    }

    const strange = async (round: number) => {
      const paths = [`/nowhere/${CANARY}-${round}`, `/v1/upstreams/${CANARY}-${round}`, `/v1/requests/${round}`];
      for (const method of ["GET", "PURGE", "REPORT"]) {
        for (const path of paths) await (await product.fetch(path, { ...AUTHORIZED, method })).body?.cancel();
      }
    };
    await strange(1);
    const once = await scrape(own);
    for (let round = 2; round < 6; round++) await strange(round);
    const often = await scrape(own);
    assert.equal(often.samples.length, once.samples.length);
    const unmatched = { http_route: "unmatched", http_request_method: "_OTHER", error_type: "not_found" };
    assert.ok((often.sum("http_server_request_duration_seconds_count", unmatched) ?? 0) >= 10, often.text);
    assert.ok(!often.text.includes(CANARY));
  });

  test("requests that wait, and those that the listener refuses, are counted", async () => {
    const active = async () =>
      (await scrape(own)).sum("http_server_active_requests", { http_request_method: "POST" }) ?? 0;
    assert.equal(await active(), 0);
    const waiting = request(call("sleep", [1_500]));
    await until(async () => (await active()) === 1, { what: () => "a request that waits" });
    assert.equal((await waiting).status, 200);
    assert.equal(await active(), 0);
    const refused = async () =>
      (await scrape(own)).sum("sidesocket_http_refused_total", { http_response_status_code: "400" }) ?? 0;
    const before = await refused();
    const connection = await RawConnection.open(product);
    connection.write("nonsense\r\n\r\n");
    assert.equal((await connection.response()).status, 400);
    assert.equal(await refused(), before + 1);
  });

  test("another method than GET is refused with those that there are", async () => {
    const response = await fetch(own, { method: "DELETE" });
    await problem(response, { status: 405, code: "method_not_allowed", sent: "no" });
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  });

  test("round trips and the lag of the event loops are measured", async () => {
    const measured = await until(async () => {
      const metrics = await scrape(own);
      const threads = ["host", "sidecar-1", "sidecar-2", "sidecar-3"];
      const counts = threads.map((thread) => metrics.sum("sidesocket_event_loop_lag_seconds_count", { thread }) ?? 0);
      const roundTrip = metrics.sum("sidesocket_upstream_round_trip_seconds", { upstream: "default" });
      return counts.every((count) => count > 0) && roundTrip !== undefined && { roundTrip };
    });
    assert.ok(measured.roundTrip > 0 && measured.roundTrip < 5, String(measured.roundTrip));
  });

  test("the documented families are those of the text, with their types, meanings and labels", async () => {
    const metrics = await scrape(own);
    const documented = readFileSync(join(root, "docs", "observability.md"), "utf8")
      .split("\n")
      .flatMap((line) => {
        const [, name, type, labels = "", help] = /^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$/.exec(line) ?? [];
        return name === undefined ? [] : [{ name, type, help, labels: [...labels.matchAll(/\w+/g)].map(String) }];
      });
    const told = [...metrics.families].map(([name, { type, help }]) => ({ name, type, help }));
    assert.deepEqual(
      documented.map(({ name, type, help }) => ({ name, type, help })),
      told,
    );
    for (const { name, labels } of documented) {
      const samples = metrics.samples.filter((sample) => sample.name.replace(/_(bucket|sum|count)$/, "") === name);
      for (const sample of samples) {
        const unknown = Object.keys(sample.labels).filter((label) => label !== "le" && !labels.includes(label));
        assert.deepEqual(unknown, [], name);
      }
    }
  });

  test("a scraper that accepts OpenMetrics gets it, and every other the older text", async () => {
    const plain = await fetch(own);
    assert.equal(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const older = readMetrics(await plain.text());
    const accept = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const response = await fetch(own, { headers: { accept } });
    assert.match(response.headers.get("content-type") ?? "", /^application\/openmetrics-text; version=1\.0\.0/);
    const text = await response.text();
    assert.match(text, /\n# EOF\n$/);
    const newer = readMetrics(text);
    assert.equal(newer.sum("sidesocket_upstream_connects_total"), older.sum("sidesocket_upstream_connects_total"));
    assert.equal(newer.families.get("sidesocket_upstream_connects")?.type, "counter");
  });

  test("the API's listener demands the token for metrics; their own serves them and probes, and nothing else", async () => {
    await problem(await product.fetch("/metrics"), { status: 401, code: "unauthorized", sent: "no" });
    await scrape(`${product.url}/metrics`, AUTHORIZED);
    const probe = await fetch(new URL("/livez", own));
    assert.deepEqual([probe.status, await probe.json()], [200, { status: "alive" }]);
    const ready = await fetch(new URL("/readyz", own));
    assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready" }]);
    for (const path of ["/v1/upstreams", "/rpc", "/shutdown", "/"]) {
      await problem(await fetch(new URL(path, own), { method: "POST" }), {
        status: 404,
        code: "not_found",
        sent: "no",
      });
    }
    const rebound = await rawRequest(own, { path: "/metrics", headers: { Host: "attacker.example" } });
    assert.equal(rebound.status, 421);
    const id = rebound.headers.get("x-request-id");
    await product.until(() => product.log().some((line) => line["http.request.id"] === id), {
      what: () => "a line of the refused scrape",
    });
  });

  test("a thread that does not respond leaves out its details, and the scrape is answered in time", async () => {
    const hanging = product.post("/v1/upstreams/blocking/request?timeout=10s", "x", {
      headers: { ...AUTHORIZED.headers, "content-type": "text/plain" },
    });
    const hung = await until(async (): Promise<readonly [Metrics, number] | false> => {
      const [metrics, ms] = await timed(scrape(own));
      return metrics.sum("sidesocket_thread_up") === 2 && [metrics, ms];
    });
    const [metrics, ms] = hung;
    assert.ok(ms < 1_500, `${ms} ms`);
    assert.equal(metrics.sum("sidesocket_upstream_connects_total", { upstream: "blocking" }), undefined);
    assert.equal(metrics.sum("sidesocket_upstream_state", { upstream: "blocking", phase: "ready" }), 1);
    assert.equal(metrics.sum("sidesocket_upstream_in_flight", { upstream: "blocking" }), 1);
    assert.equal(metrics.sum("sidesocket_upstream_connects_total", { upstream: "default" }), 2);
    await (await hanging).body?.cancel();
  });
});

test("a scrape during the exit is answered, on both listeners, and the exit ends in time", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({
    config: {
      listen: { metrics: { port: 0 } },
      shutdown: { delay: "400ms", drain: "600ms" },
      upstreams: { default: { url: upstream.url } },
    },
    t,
  });
  await product.ready();
  const own = metricsUrl(product);
  const pending = product.request(call("silent"));
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  for (const url of [own, `${product.url}/metrics`]) {
    await until(async () => (await scrape(url)).sum("sidesocket_exiting") === 1);
  }
  await problem(await pending, { status: 503, code: "cancelled", sent: "maybe" });
  const [{ code }, ms] = await timed(product.ended());
  assert.equal(code, 0, product.stderr());
  assert.ok(ms < 3_000, `${ms} ms`);
});

test("a listener for metrics beyond loopback needs a token, or to be declared open", async (t) => {
  const listen = { metrics: { host: "0.0.0.0", port: 0 } };
  const file = await written(t, "config.yaml", JSON.stringify({ listen }));
  const refused = await runProduct(["--port", "0", "--config", file], { t });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /listen\.metrics\.host: 0\.0\.0\.0 is reachable from other machines: set a token/);
  const open = await startProduct({ config: { listen: { metrics: { ...listen.metrics, open: true } } }, t });
  await open.ready();
  const { port } = new URL(metricsUrl(open));
  await scrape(`http://127.0.0.1:${port}/metrics`);
});
