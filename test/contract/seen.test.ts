/** Requests and states as an operator sees them: log lines, recent failures, changes, and their stream. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startFaultUpstream } from "../faults/upstream.ts";
import { RawConnection } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const CANARY = "canary-3f9c1e";
const TOKEN = `${CANARY}-${"0".repeat(32)}`;
const REQUEST = "/v1/upstreams/default/request";

interface Failed {
  readonly request_id: string;
  readonly upstream: string | null;
  readonly code: string;
  readonly sent: string;
  readonly status: number;
  readonly route: string;
  readonly detail: string;
  readonly cause: string | null;
  readonly total_ms: number;
}

interface Event {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Collects the events of a stream until it ends. */
async function collect(response: Response, events: Event[]): Promise<void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    const whole = text.split("\n\n");
    text = whole.pop() as string;
    for (const lines of whole) {
      const [, type, data] = /^event: (.*)\ndata: (.*)$/.exec(lines) ?? [];
      if (type !== undefined && data !== undefined) events.push({ type, data: JSON.parse(data) });
    }
  }
}

describe("a service that is watched", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    const headers = { "x-secret": CANARY };
    const settings = { url: `${upstream.url}?key=${CANARY}`, headers, reconnect: { from: "20ms", to: "50ms" } };
    const config = { upstreams: { default: settings } };
    product = await startProduct({ config, args: ["--log-level", "debug"] });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  const failures = async () =>
    ((await (await product.fetch("/v1/failures")).json()) as { failures: Failed[] }).failures;
  const lineOf = (id: string | null) => product.line((line) => line["http.request.id"] === id, `a line of ${id}`);

  test("a failed request leaves one line and one entry, found by its id, with its code and `sent`", async () => {
    const message = { jsonrpc: "2.0", id: 1, method: "silent", params: [CANARY] };
    const response = await product.post(`${REQUEST}?timeout=700ms`, message);
    assert.equal(response.status, 504);
    const id = response.headers.get("x-request-id");
    const line = await lineOf(id);
    assert.equal(line["log.level"], "warn");
    assert.match(
      String(line.message),
      /^upstream default: POST \/v1\/upstreams\/\{upstream\}\/request failed: reply_timeout \(sent: maybe\): no reply/,
    );
    const heard = /^no reply came within \d+ ms; no frame came since it was sent, nor before on its connection, opened/;
    assert.match(String(line["error.message"]), heard);
    assert.deepEqual(
      [line["error.code"], line["sidesocket.sent"], line["http.response.status_code"], line["client.address"]],
      ["reply_timeout", "maybe", 504, "127.0.0.1"],
    );
    const [failed] = await failures();
    assert(failed);
    assert.deepEqual(
      [failed.request_id, failed.upstream, failed.code, failed.sent, failed.status, failed.route],
      [id, "default", "reply_timeout", "maybe", 504, "/v1/upstreams/{upstream}/request"],
    );
    assert(failed.total_ms >= 600 && failed.total_ms < 5_000, String(failed.total_ms));
    assert.equal(product.log().filter((each) => each["http.request.id"] === id).length, 1);
  });

  test("a failure on /rpc, which has the status 200, is seen as one", async () => {
    const response = await product.fetch("/rpc?timeout=700ms", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"jsonrpc":"2.0","id":1,"method":"silent"}',
    });
    assert.equal(response.status, 200);
    await lineOf(response.headers.get("x-request-id"));
    const [failed] = await failures();
    assert.deepEqual([failed?.route, failed?.code, failed?.status], ["/rpc", "reply_timeout", 200]);
  });

  test("refused callers are seen, those that never reach the app as well, and a flood of them is counted", async () => {
    const none = await product.fetch(`/${CANARY}?q=${CANARY}`);
    assert.equal((await lineOf(none.headers.get("x-request-id")))["sidesocket.route"], "unmatched");
    const connection = await RawConnection.open(product);
    connection.write("nonsense\r\n\r\n");
    const refused = await connection.response();
    assert.equal(refused.status, 400);
    await lineOf(refused.headers.get("x-request-id") ?? null);
    for (let number = 0; number < 30; number++) await product.fetch("/nowhere");
    const line = await product.line(({ message }) => /^\d+ more requests failed/.test(String(message)));
    assert.equal(typeof line["sidesocket.not_found"], "number");
  });

  test("a success is a line at the level debug, with its times", async () => {
    const response = await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [CANARY] });
    assert.equal(response.status, 200);
    const line = await lineOf(response.headers.get("x-request-id"));
    assert.equal(line["log.level"], "debug");
    for (const name of ["queue_ms", "upstream_ms", "total_ms"]) {
      assert.equal(typeof line[`sidesocket.${name}`], "number", name);
    }
  });

  test("changes of state and failures are streamed and remembered, and the stream ends with the service", async () => {
    const events: Event[] = [];
    const states: Event[] = [];
    const streams = [
      collect(await product.fetch("/v1/events"), events),
      collect(await product.fetch("/v1/upstreams", { headers: { Accept: "text/event-stream" } }), states),
    ];
    await until(() => states.length >= 2, { what: () => "two states" });
    upstream.last.kill();
    await until(() => events.some(({ data }) => data.phase === "ready"), { what: () => "the state ready" });
    const phases = events.map(({ data }) => data.phase);
    assert.deepEqual([phases.at(0), phases.at(-1)], ["waiting", "ready"]);
    await product.fetch("/nowhere");
    await until(() => events.some(({ type }) => type === "failure"), { what: () => "a failure" });

    const { history, latency } = (await product.state()) as {
      history: { phase: string; last_error: string | null; last_cause: string | null }[];
      latency: { count: number; failed: number; p50_ms: number };
    };
    assert.deepEqual([history.at(0)?.phase, history.at(-1)?.phase], ["idle", "ready"]);
    const away = history.find(({ phase }) => phase === "waiting");
    assert.deepEqual([away?.last_cause, away?.last_error?.includes("1006")], ["1006", true]);
    const lineOfLoss = await product.line((each) => each["sidesocket.cause"] === "1006");
    assert.match(String(lineOfLoss.message), /: waiting, next attempt in .*; it was ready for \d+(\.\d)? m?s$/);
    assert.equal(latency.count, 1);
    assert(latency.failed >= 2 && latency.p50_ms > 0);
    const listed = states.at(-1)?.data as { upstreams: { name: string }[] };
    assert.deepEqual(
      listed.upstreams.map(({ name }) => name),
      ["default"],
    );

    const told = [await product.state(), await failures(), events, states, history].map((each) => JSON.stringify(each));
    assert.equal((await product.stop()).code, 0);
    await Promise.all(streams);
    assert.deepEqual(
      [events.at(-1), states.at(-1)].map((event) => event?.type),
      ["end", "end"],
    );
    assert.ok(![...told, product.stderr()].some((text) => text.includes(CANARY)), "a secret or a payload was shown");
  });
});

test("a failure says what keeps the upstream away, as a code, and whether it was ever there", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "refuse", status: 403 } }, { t });
  const settings = { url: upstream.url, reconnect: { from: "20ms", to: "50ms", refused: "700ms" } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  const line = await product.line((each) => each["sidesocket.phase"] === "refused");
  assert.equal(line["sidesocket.cause"], "http_403");
  assert.match(String(line.message), /HTTP 403.*; it was never ready$/);
  const response = await product.request({ jsonrpc: "2.0", id: 1, method: "echo" });
  const problem = (await response.json()) as Failed;
  assert.deepEqual([problem.code, problem.cause], ["upstream_down", "http_403"]);
  assert.match(problem.detail, /; it was never ready \((one attempt|\d+ attempts) since its thread started\)$/);
  const { failures } = (await (await product.fetch("/v1/failures")).json()) as { failures: Failed[] };
  assert.deepEqual(
    failures.map(({ cause }) => cause),
    ["http_403"],
  );
  const { ready_until, last_cause } = await product.state();
  assert.deepEqual([ready_until, last_cause], [null, "http_403"]);
  upstream.script = {};
  await product.ready();
  upstream.script = { handshake: { do: "refuse", status: 403 } };
  upstream.last.reset();
  const gone = async () => {
    const { phase, ready_until: until } = await product.state();
    return (phase === "refused" || phase === "waiting") && Date.parse(String(until)) > 0;
  };
  await until(gone, { what: () => "an upstream that was ready until lately" });
});

test("at the level trace the log shows frames, without the secrets of the settings", async (t) => {
  const upstream = await startUpstream({ t });
  const greeting = [{ send: { jsonrpc: "2.0", id: 1, method: "echo", params: { token: CANARY } } }];
  const settings = { url: `${upstream.url}/${CANARY}?key=${CANARY}`, greeting };
  const config = { upstreams: { default: settings } };
  const product = await startProduct({ config, args: ["--log-level", "trace"], t });
  await product.ready();
  assert.equal(
    (await product.request({ jsonrpc: "2.0", id: "mine", method: "echo", params: ["payload"] })).status,
    200,
  );
  const frames = () => product.log().filter((line) => "sidesocket.direction" in line);
  await product.until(() => frames().some(({ message }) => /received .*"payload"/.test(String(message))));
  const sent = frames().filter((line) => line["sidesocket.direction"] === "sent");
  assert.match(String(sent[0]?.message), /"token":"\(redacted\)"/);
  assert.match(String(sent[1]?.message), /"params":\["payload"\]/);
  assert.equal((await product.stop()).code, 0);
  assert.ok(!product.stderr().includes(CANARY), "a secret was shown");
});

test("a line names the caller by its token's name, and never shows the token", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, env: { SIDESOCKET_TOKEN: `shop:${TOKEN}` }, t });
  const call = (token: string) =>
    product.fetch(`/v1/upstreams/none/request?key=${CANARY}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    });
  const line = async (response: Response) => {
    const id = response.headers.get("x-request-id");
    return await product.until(() => product.log().find((each) => each["http.request.id"] === id));
  };
  const [known, unknown] = [await line(await call(TOKEN)), await line(await call(`${TOKEN}-not`))];
  assert.deepEqual([known["error.code"], known["user.name"]], ["invalid_request", "shop"]);
  assert.deepEqual([unknown["error.code"], unknown["user.name"]], ["unauthorized", undefined]);
  assert.equal((await product.stop()).code, 0);
  assert.ok(!product.stderr().includes(CANARY), "a token was shown");
});
