/** Failures between us and the upstream: every request ends once, in time, with a correct `sent`. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { inPlace, never } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { violations } from "../faults/violations.ts";
import { RawConnection } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { answerJsonRpc } from "../support/upstream-methods.ts";
import { type Expected, problem, type RpcAnswer, rpcProblem, type Sent, timed, unstarved } from "./expect.ts";

const REQUEST = "/v1/upstreams/default/request";
const reconnect = { from: "20ms", to: "200ms", refused: "300ms" };

const call = (method: string, params: unknown = [], id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });
const lost = (detail?: RegExp): Expected => ({
  status: 502,
  code: "connection_lost",
  sent: "maybe",
  ...(detail === undefined ? {} : { detail }),
});
const timedOut = (sent: Sent): Expected => ({ status: 504, code: "reply_timeout", sent });

/** The method `neither` gets a reply without result or error, against the protocol. */
function answer(message: Message, connection: UpstreamConnection): void {
  const { id, method } = JSON.parse(String(message)) as { id: number; method: string };
  if (method === "neither") connection.send({ jsonrpc: "2.0", id });
  else answerJsonRpc(message, connection);
}

describe("an upstream that fails", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream({ onMessage: answer });
    const limits = { reply_bytes: "64KiB" };
    product = await startProduct({ config: { upstreams: { default: { url: upstream.url, reconnect, limits } } } });
  });
  beforeEach(() => product.ready());
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  /** Sends a request that is never answered, and waits until it has come up. */
  const pending = async (path = REQUEST, params: unknown = Math.random()) => {
    const response = product.post(path, call("silent", params, "mine"));
    response.catch(() => {});
    await upstream.until(() => upstream.texts.some((text) => text.includes(JSON.stringify(params))));
    return { response };
  };
  const serves = async (): Promise<void> => {
    await product.ready();
    const response = await product.request(call("echo", ["again"]));
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: ["again"] });
  };
  const counter = async (name: string) => ((await product.state()).counters as Record<string, number>)[name] ?? 0;

  test("a missing reply is 504 at the deadline, maybe sent", async () => {
    const [response, ms] = await timed(product.post(`${REQUEST}?timeout=200ms`, call("silent")));
    await problem(response, timedOut("maybe"));
    assert.ok(ms >= 195 && ms < 2_000, `${ms} ms`);
  });

  test("a missing reply is 200 on /rpc, with the error in the body and the caller's id", async () => {
    const response = await product.post("/rpc?timeout=100ms", call("silent", [], "mine"));
    await rpcProblem(response, { ...timedOut("maybe"), status: 200, id: "mine" });
  });

  test("a batch fails only the item without a reply", () =>
    unstarved(async () => {
      const response = await product.post("/rpc?timeout=200ms", [call("silent", [], "a"), call("echo", ["x"], "b")]);
      assert.equal(response.status, 200);
      const [silent, echo] = (await response.json()) as RpcAnswer[];
      assert.deepEqual([silent?.id, silent?.error?.data?.code], ["a", "reply_timeout"]);
      assert.deepEqual(echo, { jsonrpc: "2.0", id: "b", result: ["x"] });
    }));

  test("a pong turns maybe into yes", () =>
    unstarved(async () => {
      const first = product.post(`${REQUEST}?timeout=150ms`, call("silent"));
      const second = product.post(`${REQUEST}?timeout=700ms`, call("silent"));
      await problem(await first, timedOut("maybe")); // which sends a ping
      await problem(await second, timedOut("yes"));
    }));

  test("a late reply is counted and settles no request", async () => {
    const late = await counter("late");
    await problem(await product.post(`${REQUEST}?timeout=50ms`, call("sleep", [400])), timedOut("maybe"));
    await until(async () => (await counter("late")) === late + 1);
    await serves();
  });

  test("a reply against the protocol is 502 invalid_reply, sent", async () => {
    const invalid = { status: 502, code: "invalid_reply", sent: "yes" } as const;
    await problem(await product.request(call("neither")), invalid);
    await rpcProblem(await product.rpc(call("neither", [], "mine")), { ...invalid, status: 200, id: "mine" });
  });

  test("an unreadable frame settles no request, is counted, and leaves the connection alone", async () => {
    const noise = await counter("noise");
    const { number } = upstream.last;
    await problem(await product.post(`${REQUEST}?timeout=100ms`, call("garbage")), timedOut("maybe"));
    assert.equal(await counter("noise"), noise + 1);
    await serves();
    assert.equal(upstream.last.number, number);
  });

  test("a reply over limits.reply_bytes ends the connection, and the error names the limit", async () => {
    await problem(await product.request(call("big", [100_000])), lost(/reply_bytes.*65536/));
    await serves();
    const response = await product.rpc(call("big", [100_000]));
    await rpcProblem(response, { ...lost(/reply_bytes/), status: 200, id: 1 });
    await serves();
  });

  const endings: ReadonlyMap<string, readonly [method: string, params: unknown]> = new Map([
    ["a FIN without a close frame", ["drop", ["fin"]]],
    ["a RST", ["drop", ["reset"]]],
    ...[1000, 1001, 1008, 1011, 1012, 3000, 4000, 4401, 4999].map((code): [string, [string, unknown]] => [
      `close code ${code}`,
      ["close", [code, "as told"]],
    ]),
  ]);
  for (const [name, [method, params]] of endings) {
    test(`requests pending when the upstream ends with ${name} fail, and requests flow again`, async () => {
      const one = await pending();
      const other = await pending("/rpc");
      await problem(await product.request(call(method, params)), lost());
      await problem(await one.response, lost());
      await rpcProblem(await other.response, { ...lost(), status: 200, id: "mine" });
      await serves();
    });
  }

  for (const [how, leave] of [
    ["a RST", (connection: RawConnection) => connection.reset()],
    ["a FIN", (connection: RawConnection) => connection.destroy()],
    ["half a FIN", (connection: RawConnection) => connection.end()],
  ] as const) {
    test(`a client that leaves with ${how} frees its place at once`, async (t) => {
      const abandoned = await counter("abandoned");
      const connection = await RawConnection.open(product, t);
      const body = JSON.stringify(call("silent", how));
      connection.send({ method: "POST", path: REQUEST, headers: { "Content-Type": "application/json" }, body });
      await upstream.until(() => upstream.texts.some((text) => text.includes(`"${how}"`)));
      assert.equal((await product.state()).in_flight, 1);
      leave(connection);
      await until(async () => (await product.state()).in_flight === 0, { within: 2_000, what: "in_flight to be 0" });
      assert.equal(await counter("abandoned"), abandoned + 1);
    });
  }
});

test("losing the upstream fails 200 pending requests within 100 ms, and requests flow again", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, reconnect } } }, t });
  const many = Array.from({ length: 200 });
  const burst = (ask: () => Promise<Response>) =>
    Promise.all(many.map(async () => [await ask(), performance.now()] as const));
  /**
   * Measures how much later the last request ended than the same number of responses takes right now, in milliseconds.
   */
  const round = async (): Promise<number> => {
    await product.ready();
    const [control, controlMs] = await timed(burst(() => product.fetch("/livez")));
    for (const [response] of control) await response.body?.cancel();
    const before = upstream.messages.length;
    const all = burst(() => product.request(call("silent")));
    await upstream.until(() => upstream.messages.length === before + many.length);
    const killedAt = performance.now();
    await upstream.stop();
    const ends = await all;
    for (const [response] of ends) await problem(response, lost());
    await problem(await product.request(call("echo")), { status: 503, code: "upstream_down", sent: "no" });
    assert.equal((await product.fetch("/readyz")).status, 503);
    await upstream.restart();
    await product.ready();
    assert.equal((await product.request(call("echo"))).status, 200);
    return Math.max(...ends.map(([, at]) => at)) - killedAt - controlMs;
  };
  // A busy machine can only add time, so one of three is the product's own.
  const rounds = [await round()];
  while (rounds.length < 3 && Math.min(...rounds) >= 100) rounds.push(await round());
  assert.ok(Math.min(...rounds) < 100, `${rounds} ms`);
});

test("a caller notified of a lost connection sees the current state, not the previous one", async (t) => {
  const upstream = await startUpstream({ t });
  const names = Array.from({ length: 20 }, (_, index) => `one-${index}`);
  const never = { from: "1h", to: "1h" };
  const upstreams = Object.fromEntries(names.map((name) => [name, { url: upstream.url, reconnect: never }]));
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  for (const [at, name] of names.entries()) {
    const path = `/v1/upstreams/${name}/request`;
    // With many requests as well: the first ones are notified before the others cross between the threads.
    const silent = Array.from({ length: at % 2 === 0 ? 0 : 40 }, () => product.post(path, call("silent")));
    const answers = [...silent, product.post(path, call("drop", ["fin"]))];
    const looked = answers.map(async (answer) => {
      const { code, upstream_state } = (await (await answer).json()) as Record<string, unknown>;
      return `${code}, ${upstream_state}`;
    });
    assert.deepEqual(new Set(await Promise.all(looked)), new Set(["connection_lost, waiting"]));
  }
});

test("the in-flight cap responds 429 and frees its places when requests end", async (t) => {
  const upstream = await startUpstream({ t });
  const limits = { in_flight: 3 };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, limits } } }, t });
  await product.ready();
  const held = [1, 2, 3].map(() => product.post(`${REQUEST}?timeout=1500ms`, call("silent")));
  await upstream.until(() => upstream.messages.length === 3);
  const full = { status: 429, code: "too_many_in_flight", sent: "no", detail: /in_flight: 3/ } as const;
  await problem(await product.request(call("echo")), full);
  await rpcProblem(await product.rpc(call("echo", [], "mine")), { ...full, id: "mine" });
  const batch = [call("echo", [], "a"), call("echo", [], "b")];
  const refused = await product.post("/rpc?timeout=200ms", batch);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  assert.deepEqual(
    ((await refused.json()) as RpcAnswer[]).map(({ id, error }) => [id, error?.data?.code, error?.data?.sent]),
    ["a", "b"].map((id) => [id, "too_many_in_flight", "no"]),
  );
  await problem(await product.post(`${REQUEST}?timeout=200ms`, batch), full);
  for (const response of await Promise.all(held)) {
    assert.equal(response.status, 504);
    await response.body?.cancel();
  }
  assert.equal((await product.request(call("echo"))).status, 200);
  assert.equal(upstream.messages.length, 4);
});

test("more batches than the cap has places wait for them, and a single request does not", async (t) => {
  const upstream = await startUpstream({ t });
  const limits = { in_flight: 1 };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, limits } } }, t });
  await product.ready();
  const batches = ["a", "b", "c"].map((id) => product.rpc([call("sleep", [100], id), call("echo", [id], id)]));
  await upstream.until(() => upstream.messages.length > 0);
  const full = { status: 429, code: "too_many_in_flight", sent: "no", detail: /in_flight: 1/ } as const;
  await problem(await product.request(call("echo")), full);
  for (const response of await Promise.all(batches)) {
    const [, { id, result } = {}] = (await response.json()) as readonly { id: unknown; result: unknown }[];
    assert.deepEqual(result, [id]);
  }
});

test("thirty batches of a hundred at once are all served, though they are more than the cap", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const batches = Array.from({ length: 30 }, async (_, number) => {
    const sent = Array.from({ length: 100 }, (_, id) => ({ ...call("sleep", [15, number]), id }));
    const response = await product.rpc(sent);
    const replies = (await response.json()) as { readonly id: number; readonly result?: unknown }[];
    return replies.filter(({ id, result }, at) => id === at && JSON.stringify(result) === `[15,${number}]`).length;
  });
  assert.deepEqual(await Promise.all(batches), new Array(30).fill(100));
});

test("a peer that vanished silently is found by a ping", async (t) => {
  const upstream = await startFaultUpstream((n) => (n === 1 ? { onPing: false, onMessage: never, onEnd: false } : {}), {
    t,
  });
  const keepalive = { ping: "200ms", pong_within: "200ms" };
  const config = { upstreams: { default: { url: upstream.url, reconnect, keepalive } } };
  const product = await startProduct({ config, t });
  const [response, ms] = await timed(product.request(call("echo")));
  await problem(response, lost(/ping/));
  assert.ok(ms < 3_000, `${ms} ms`);
  await product.ready();
  assert.equal((await product.request(call("echo"))).status, 200);
});

test("an upstream that does not read makes us refuse instead of growing", async (t) => {
  const upstream = await startFaultUpstream({ reads: false }, { t });
  const limits = { buffered_bytes: "2MiB" };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, limits } } }, t });
  await product.ready();
  const big = JSON.stringify(call("echo", ["x".repeat(1_000_000)]));
  let response = await product.post("/v1/upstreams/default/send", big);
  for (let sent = 1; response.status === 204 && sent < 40; sent += 1) {
    response = await product.post("/v1/upstreams/default/send", big);
  }
  await problem(response, { status: 503, code: "congested", sent: "no", detail: /buffered_bytes/ });
});

test("whatever a broken upstream sends, the request ends and the next connection serves", async (t) => {
  const names = [...violations.keys()];
  const upstream = await startFaultUpstream(
    (n) => ({ onMessage: inPlace(violations.get(names[n - 1] ?? "") ?? ((peer) => peer.close(4999))) }),
    { t },
  );
  const fast = { from: "1ms", to: "20ms" };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, reconnect: fast } } }, t });
  for (const [at, name] of names.entries()) {
    await product.ready();
    assert.equal(upstream.peers.length, at + 1, name);
    const [response, ms] = await timed(product.request(call("echo", [name])));
    await problem(response, lost());
    assert.ok(ms < 2_000, `${name}: ${ms} ms`);
  }
});

test("an error without an id ends the only request at once: as it is on /rpc, in a problem on /v1", async (t) => {
  const error = { code: -32005, message: "rate limit exceeded" };
  const upstream = await startUpstream({ t, onMessage: (_, connection) => connection.send({ jsonrpc: "2.0", error }) });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const rpc = await product.rpc(call("echo", [], "mine"));
  assert.deepEqual([rpc.status, await rpc.json()], [200, { jsonrpc: "2.0", id: "mine", error }]);
  const failed = await product.request(call("echo"));
  await problem(failed, { status: 502, code: "invalid_reply", sent: "maybe", detail: /rate limit exceeded/ });
});

test("a time-out tells what came meanwhile, without the secrets of the configuration", async (t) => {
  const key = "k3y-of-the-test";
  const upstream = await startUpstream({
    t,
    onMessage: (_, connection) => connection.send(`429 Too Many Requests for ${key}`),
  });
  const config = { upstreams: { default: { url: `${upstream.url}?key=${key}`, headers: { "x-api-key": key } } } };
  const product = await startProduct({ config, t });
  await product.ready();
  // On a busy machine the host may give its own verdict before the thread's, and knows of no frames.
  const told = async () => {
    const response = await product.post(`${REQUEST}?timeout=1500ms`, call("echo"));
    const body = (await response.json()) as { heard?: Record<string, unknown>; detail: string };
    return body.heard && { heard: body.heard, detail: body.detail };
  };
  const { heard, detail } = await until(told, { within: 20_000, what: "a time-out that the thread reports" });
  assert.deepEqual([heard.frames, heard.last], [1, "429 Too Many Requests for (redacted)"]);
  assert.match(detail, /one frame came that answered nothing; the last: 429 Too Many Requests for \(redacted\) \(/);
});
