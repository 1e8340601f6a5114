/** `Idempotency-Key`: a repeated request gets the reply of the first, and nothing is sent twice. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { run } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { rawRequest } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { findOnPath } from "../support/root.ts";
import { until } from "../support/until.ts";
import { problem, rpcProblem } from "./expect.ts";
import { call, type Holding, released, startHolding } from "./holding.ts";

const REQUEST = "/v1/upstreams/default/request";
const SEND = "/v1/upstreams/default/send";
const reconnect = { from: "20ms", to: "200ms" };
const replayed = ({ headers }: Response): string | null => headers.get("idempotency-replayed");

describe("Idempotency-Key", () => {
  let holding: Holding;
  let product: Product;
  before(async () => {
    holding = await startHolding();
    product = await startProduct({ config: { upstreams: { default: { url: holding.upstream.url, reconnect } } } });
  });
  beforeEach(() => product.ready());
  after(async () => {
    await product?.kill();
    await holding?.upstream.stop();
  });
  const post = (path: string, key: string, body: unknown, headers: Record<string, string> = {}) =>
    product.post(path, body, { headers: { "idempotency-key": key, ...headers } });

  for (const path of [REQUEST, "/rpc"]) {
    test(`${path}: a repeat joins the request in flight, and later gets its reply again`, async () => {
      const key = `joined ${path}`;
      const makeRequest = () => post(path, key, call("hold", [key]));
      const first = makeRequest();
      await holding.came(key);
      const second = makeRequest();
      // The second has been admitted once a third, sent after it, is refused.
      await (await post(path, key, call("hold", ["other"]))).body?.cancel();
      holding.release(key);
      for (const response of [await first, await second]) {
        assert.deepEqual([response.status, await response.text(), replayed(response)], [200, released(key), null]);
      }
      const third = await makeRequest();
      assert.deepEqual([third.status, await third.text(), replayed(third)], [200, released(key), "true"]);
      assert.equal(holding.count(key), 1);
    });
  }

  test("a repeated /send is 204 again", async () => {
    for (const again of [null, "true"]) {
      const response = await post(SEND, "sent", call("echo", ["sent once"]));
      assert.deepEqual([response.status, replayed(response)], [204, again]);
    }
    assert.equal(await holding.came("sent once"), 1);
  });

  test("the same key with another message is 422, and nothing is sent", async () => {
    await (await post(REQUEST, "other", call("echo", ["one message"]))).body?.cancel();
    await (await post("/rpc", "other", call("echo", ["one message"]))).body?.cancel();
    const mismatch = { status: 422, code: "mismatch", sent: "no" } as const;
    await problem(await post(REQUEST, "other", call("echo", ["another message"])), mismatch);
    await rpcProblem(await post("/rpc", "other", call("echo", ["another message"])), mismatch);
    assert.equal(holding.count("another message"), 0);
  });

  test("an invalid key is 400", async () => {
    const invalid = { status: 400, code: "invalid_request", sent: "no", detail: /^Idempotency-Key must be/ } as const;
    for (const key of ["", "x".repeat(256), "a\tb", "\u00fc"]) {
      await problem(await post(REQUEST, key, call("echo", ["no key"])), invalid);
    }
    const headers = { "Content-Type": "application/json", "Idempotency-Key": ["a", "b".repeat(254)] };
    await problem(await rawRequest(product, { method: "POST", path: REQUEST, headers, body: "{}" }), invalid);
    assert.equal((await post(REQUEST, "x".repeat(255), call("echo"))).status, 200);
    assert.equal(holding.count("no key"), 0);
  });

  test("/send, and requests without a key, are independent; every route that waits for a reply is one", async () => {
    const body = call("echo", ["scoped"]);
    for (const path of [REQUEST, SEND]) assert.equal(replayed(await post(path, "scope", body)), null);
    await product.post(REQUEST, body);
    for (const path of ["/rpc", "/rpc/default", REQUEST])
      assert.equal(replayed(await post(path, "scope", body)), "true");
    assert.equal(await holding.came("scoped", 3), 3);
  });

  test("a request that failed unsent is really tried again", async (t) => {
    const port = await freePort();
    const upstreams = { default: { url: `ws://127.0.0.1:${port}/`, reconnect } };
    const other = await startProduct({ config: { upstreams }, t });
    const makeRequest = () => other.post(REQUEST, call("echo", ["again"]), { headers: { "idempotency-key": "k" } });
    await problem(await makeRequest(), { status: 503, code: "upstream_down", sent: "no" });
    const late = await startHolding(t, port);
    await other.ready();
    const response = await makeRequest();
    assert.deepEqual([response.status, replayed(response), late.count("again")], [200, null, 1]);
  });

  test("a connection lost in flight is reported again, and nothing is sent again", async () => {
    const makeRequest = () => post(REQUEST, "lost", call("drop", ["fin", "lost"]));
    const lost = { status: 502, code: "connection_lost", sent: "maybe" } as const;
    await problem(await makeRequest(), lost);
    await product.ready();
    const again = await makeRequest();
    assert.equal(replayed(again), "true");
    await problem(again, lost);
    assert.equal(holding.count("lost"), 1);
  });

  test("a repeat after a timeout waits for the late reply, up to its own timeout", async () => {
    const makeRequest = (timeout: string) => post(`${REQUEST}?timeout=${timeout}`, "late", call("hold", ["late"]));
    const timedOut = { status: 504, code: "reply_timeout", sent: "maybe" } as const;
    const first = await makeRequest("500ms");
    await problem(first, timedOut);
    const impatient = await makeRequest("100ms");
    assert.equal(replayed(impatient), "true");
    assert.equal(impatient.headers.get("location"), first.headers.get("location"));
    await problem(impatient, timedOut);
    const patient = makeRequest("20s");
    holding.release("late");
    const response = await patient;
    assert.deepEqual([response.status, await response.text(), replayed(response)], [200, released("late"), "true"]);
    assert.equal(holding.count("late"), 1);
  });

  test("a repeat that times out while it waits gets the location of the reply", async () => {
    const first = post(REQUEST, "long", call("hold", ["long"]));
    await holding.came("long");
    const joined = await post(`${REQUEST}?timeout=100ms`, "long", call("hold", ["long"]));
    assert.match(joined.headers.get("location") ?? "", /^\/v1\/requests\//);
    await problem(joined, { status: 504, code: "reply_timeout", sent: "maybe", detail: /first request/ });
    holding.release("long");
    assert.equal((await first).status, 200);
  });

  test("a caller that leaves does not cancel its message", async () => {
    const leaving = new AbortController();
    const headers = { "idempotency-key": "left" };
    const first = product.post(REQUEST, call("hold", ["left"]), { headers, signal: leaving.signal });
    first.catch(() => {});
    await holding.came("left");
    leaving.abort();
    holding.release("left");
    const again = await post(REQUEST, "left", call("hold", ["left"]));
    assert.deepEqual([again.status, await again.text()], [200, released("left")]);
    assert.equal(holding.count("left"), 1);
  });

  test("Prefer: respond-async gives both the same Location", async () => {
    const makeRequest = () => post(REQUEST, "async", call("hold", ["async"]), { prefer: "respond-async" });
    const [first, second] = [await makeRequest(), await makeRequest()];
    assert.deepEqual([first.status, second.status], [202, 202]);
    assert.equal(first.headers.get("location"), second.headers.get("location"));
    await holding.came("async");
    holding.release("async");
    await until(async () => (await makeRequest()).status === 200);
    assert.equal(holding.count("async"), 1);
  });

  test("a key belongs to its caller, whichever of the caller's tokens and routes it comes by", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sidesocket-tokens-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const tokens = ["1", "2", "3", "4", "5", "6"].map((letter) => letter.repeat(32));
    const names = ["", "", "alice:", "alice:", "bob:", "bob:"];
    await writeFile(join(folder, "tokens"), tokens.map((token, at) => `${names[at]}${token}`).join("\n"));
    const args = ["--token-file", join(folder, "tokens")];
    const other = await startProduct({ upstream: holding.upstream, args, t });
    for (const [at, token] of tokens.entries()) {
      const headers = { "idempotency-key": "mine", authorization: `Bearer ${token}` };
      const path = at % 2 === 0 ? REQUEST : "/rpc";
      const response = await other.post(path, call("echo", ["for each"]), { headers });
      assert.deepEqual([response.status, replayed(response)], [200, at % 2 === 0 ? null : "true"]);
    }
    assert.equal(holding.count("for each"), 3);
  });

  test("a batch sends each item once", async () => {
    const batch = [call("echo", ["batch"], 1), call("echo", ["batch"], 2)];
    const texts = [];
    for (const again of [null, "true"]) {
      const response = await post("/rpc", "batch", batch);
      assert.equal(replayed(response), again);
      texts.push(await response.text());
    }
    assert.equal(texts[0], texts[1]);
    assert.equal(holding.count("batch"), 2);
  });

  for (const [path, status, sent] of [
    [SEND, 400, "maybe"],
    ["/rpc", 200, null],
  ] as const) {
    test(`${path}: a batch that was partly sent without a reply does not send the rest again`, async () => {
      const mark = `part ${path}`;
      const batch = [{ jsonrpc: "2.0", method: "note", params: [mark] }, { id: "wrong" }];
      for (const again of [null, "true"]) {
        const response = await post(path, mark, batch);
        const { headers } = response;
        assert.deepEqual([response.status, headers.get("sidesocket-sent"), replayed(response)], [status, sent, again]);
        await response.body?.cancel();
      }
      assert.equal(await holding.came(mark), 1);
      // A repeated message would have arrived before this one.
      await product.post(REQUEST, call("echo", ["behind it"]));
      assert.equal(holding.count(mark), 1);
    });
  }

  test("curl --retry gets the reply of a slow upstream, from one message", async () => {
    const body = JSON.stringify(call("hold", ["curl"]));
    const url = `${product.url}${REQUEST}?timeout=500ms`;
    const retry = ["--silent", "--fail", "--retry", "20", "--retry-delay", "1", "--max-time", "60"];
    const args = [...retry, "--header", "Idempotency-Key: curl", "--json", body, url];
    const curl = run({ command: findOnPath("curl"), args, within: 60_000 });
    // Its first attempt has failed once the request is over without a reply.
    await holding.came("curl");
    await until(async () => (await product.state()).in_flight === 0);
    holding.release("curl");
    const { code, stdout } = await curl;
    assert.deepEqual([code, stdout], [0, released("curl")]);
    assert.equal(holding.count("curl"), 1);
  });
});
