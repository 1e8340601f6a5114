/** Replies that are fetched: late ones, and those of requests with `respond-async`. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem, rpcProblem } from "./expect.ts";
import { call, type Holding, released, startHolding } from "./holding.ts";

const REQUEST = "/v1/upstreams/default/request";
const timedOut = { status: 504, code: "reply_timeout", sent: "maybe" } as const;
const reconnect = { from: "20ms", to: "200ms" };

const locationOf = ({ headers }: Response): string => {
  const location = headers.get("location") ?? "(no Location)";
  assert.match(location, /^\/v1\/requests\/[\w-]{43}$/);
  return location;
};

describe("replies that are fetched", () => {
  let holding: Holding;
  let product: Product;
  before(async () => {
    holding = await startHolding();
    const upstreams = { default: { url: holding.upstream.url, reconnect } };
    product = await startProduct({ config: { upstreams } });
  });
  beforeEach(() => product.ready());
  after(async () => {
    await product?.kill();
    await holding?.upstream.stop();
  });
  const hold = (mark: string, query = "", headers: Record<string, string> = {}) =>
    product.post(`${REQUEST}${query}`, call("hold", [mark]), { headers });
  /** Lets a request time out after it was sent. @returns where its reply will be */
  const late = async (mark: string): Promise<string> => {
    const response = await hold(mark, "?timeout=500ms");
    const location = locationOf(response);
    await problem(response, timedOut);
    return location;
  };

  test("a late reply is kept where the 504 said", async () => {
    const location = await late("late");
    const waiting = await product.fetch(location);
    assert.equal(waiting.status, 202);
    assert.equal(waiting.headers.get("retry-after"), "1");
    assert.equal(locationOf(waiting), location);
    const body = await waiting.json();
    assert.deepEqual(body, { state: "late", location, code: "reply_timeout", sent: "maybe" });
    const fetched = product.fetch(`${location}?wait=20`);
    holding.release("late");
    const reply = await fetched;
    assert.deepEqual([reply.status, reply.headers.get("content-type")], [200, "application/json"]);
    assert.equal(await reply.text(), released("late"));
    assert.equal(await (await product.fetch(`${location}?pick=/result`)).text(), "released late");
    assert.equal(holding.count("late"), 1);
  });

  test("?wait bounds the wait, and an invalid one is 400", async () => {
    const location = await late("bounded");
    const began = performance.now();
    assert.equal((await product.fetch(`${location}?wait=300ms`)).status, 202);
    assert.ok(performance.now() - began >= 295);
    for (const wait of ["soon", "121", "-1"]) {
      const refused = { status: 400, code: "invalid_request", sent: "no", detail: /^wait / } as const;
      await problem(await product.fetch(`${location}?wait=${wait}`), refused);
    }
  });

  test("/rpc names the place, too", async () => {
    const response = await product.post("/rpc?timeout=500ms", call("hold", ["rpc"]));
    const location = locationOf(response);
    await rpcProblem(response, { ...timedOut, status: 200, id: "mine" });
    holding.release("rpc");
    assert.equal(await (await product.fetch(`${location}?wait=20`)).text(), released("rpc"));
  });

  test("a connection that ends before the late reply ends the wait with 502", async () => {
    const location = await late("lost");
    const fetched = product.fetch(`${location}?wait=20`);
    holding.upstream.last.kill();
    const response = await fetched;
    // The ping that follows a timeout may already have been answered.
    const sent = response.headers.get("sidesocket-sent") === "yes" ? "yes" : "maybe";
    await problem(response, { status: 502, code: "connection_lost", sent });
  });

  test("an unsent request has no Location", async (t) => {
    const deaf = createServer().listen(0, "127.0.0.1");
    await once(deaf, "listening");
    t.after(() => deaf.close());
    const other = await startProduct({ upstream: `ws://127.0.0.1:${(deaf.address() as AddressInfo).port}`, t });
    const response = await other.post(`${REQUEST}?timeout=200ms`, call("echo"));
    assert.equal(response.headers.get("location"), null);
    await problem(response, { ...timedOut, sent: "no" });
  });

  test("Prefer: respond-async is 202 at once, and the reply is fetched", async () => {
    const response = await hold("async", "", { prefer: "respond-async" });
    assert.equal(response.status, 202);
    assert.equal(response.headers.get("preference-applied"), "respond-async");
    const location = locationOf(response);
    assert.deepEqual(await response.json(), { state: "pending", location });
    await holding.came("async");
    assert.equal((await product.fetch(location)).status, 202);
    holding.release("async");
    assert.equal(await (await product.fetch(`${location}?wait=20`)).text(), released("async"));
  });

  test("wait=N makes it 202 only if the reply does not arrive within that time", async () => {
    const prefer = "respond-async, wait=20";
    const quick = await product.post(REQUEST, call("echo", ["quick"]), { headers: { prefer } });
    assert.deepEqual([quick.status, quick.headers.get("preference-applied")], [200, prefer]);
    assert.deepEqual(await quick.json(), { jsonrpc: "2.0", id: "mine", result: ["quick"] });
    const slow = await hold("slow", "", { prefer: "wait=1; respond-async" });
    assert.deepEqual([slow.status, slow.headers.get("preference-applied")], [202, "respond-async, wait=1"]);
    const location = locationOf(slow);
    assert.deepEqual(await slow.json(), { state: "pending", location });
    // The wait does not end the request's own timeout.
    const after = await product.fetch(`${location}?wait=500ms`);
    assert.deepEqual(await after.json(), { state: "pending", location });
    holding.release("slow");
    assert.equal(await (await product.fetch(`${location}?wait=20`)).text(), released("slow"));
  });

  test("a failed asynchronous request responds with its problem", async () => {
    const headers = { prefer: "respond-async" };
    const response = await product.post(REQUEST, call("drop"), { headers });
    const fetched = await product.fetch(`${locationOf(response)}?wait=20`);
    await problem(fetched, { status: 502, code: "connection_lost", sent: "maybe" });
    const invalid = await product.post(REQUEST, "{oops", { headers });
    await problem(await product.fetch(`${locationOf(invalid)}?wait=20`), {
      status: 400,
      code: "invalid_request",
      sent: "no",
    });
  });

  test("an asynchronous request past its deadline is late, and its reply may still arrive", async () => {
    const response = await hold("overdue", "?timeout=100ms", { prefer: "respond-async" });
    const location = locationOf(response);
    await until(async () => ((await (await product.fetch(location)).json()) as { state: string }).state === "late");
    holding.release("overdue");
    assert.equal(await (await product.fetch(`${location}?wait=20`)).text(), released("overdue"));
  });

  test("an id that we did not issue is 404", async () => {
    const made = "A".repeat(43);
    const ours = locationOf(await hold("ours", "", { prefer: "respond-async" }));
    const other = `${ours.slice(0, -2)}${ours.endsWith("AA") ? "BA" : "AA"}`;
    for (const path of [`/v1/requests/${made}`, "/v1/requests/x", other]) {
      await problem(await product.fetch(path), { status: 404, code: "not_found", sent: "no" });
    }
    holding.release("ours");
  });

  test("after replies.keep it is 410, with or without a reply", async (t) => {
    const replies = { keep: "300ms" };
    const upstreams = { default: { url: holding.upstream.url } };
    const other = await startProduct({ config: { upstreams, replies }, t });
    await other.ready();
    const makeRequest = async (mark: string) =>
      locationOf(await other.post(`${REQUEST}?timeout=500ms`, call("hold", [mark])));
    const [came, never] = await Promise.all([makeRequest("came"), makeRequest("never")]);
    holding.release("came");
    for (const location of [came, never]) {
      await until(async () => (await other.fetch(location)).status === 410);
      const gone = { status: 410, code: "gone", sent: "no", detail: /replies\.keep: 0\.3s/ } as const;
      await problem(await other.fetch(location), gone);
    }
  });

  test("a reply larger than replies.bytes is 410, sent", async (t) => {
    const upstreams = { default: { url: holding.upstream.url } };
    const other = await startProduct({ config: { upstreams, replies: { bytes: "1kB" } }, t });
    const response = await other.post(REQUEST, call("big", [5_000]), { headers: { prefer: "respond-async" } });
    const location = locationOf(response);
    await until(async () => (await other.fetch(location)).status !== 202);
    await problem(await other.fetch(location), { status: 410, code: "gone", sent: "yes", detail: /replies\.bytes/ });
  });

  test("one request beyond replies.count is refused unsent", async (t) => {
    const upstreams = { default: { url: holding.upstream.url } };
    const other = await startProduct({ config: { upstreams, replies: { count: 1 } }, t });
    const makeRequest = () => other.post(REQUEST, call("hold", ["full"]), { headers: { prefer: "respond-async" } });
    assert.equal((await makeRequest()).status, 202);
    const full = { status: 429, code: "too_many_in_flight", sent: "no", detail: /replies\.count/ } as const;
    await problem(await makeRequest(), full);
  });

  test("a reply is only for the caller of its request", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sidesocket-tokens-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const [one, two] = ["1".repeat(32), "2".repeat(32)];
    await writeFile(join(folder, "tokens"), `one:${one}\ntwo:${two}\n`);
    const args = ["--token-file", join(folder, "tokens")];
    const other = await startProduct({ upstream: holding.upstream, args, t });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const headers = { ...as(one), prefer: "respond-async" };
    const location = locationOf(await other.post(REQUEST, call("echo", ["secret"]), { headers }));
    assert.equal((await other.fetch(`${location}?wait=20`, { headers: as(one) })).status, 200);
    const unknown = { status: 404, code: "not_found", sent: "no" } as const;
    await problem(await other.fetch(location, { headers: as(two) }), unknown);
  });

  test("a lane puts the late reply where it belongs", async (t) => {
    let answerFirst = (): void => {};
    const lines = await startUpstream({
      t,
      onMessage: (message, connection) => {
        if (message === "first") answerFirst = () => connection.send("FIRST");
        else connection.send(String(message).toUpperCase());
      },
    });
    const other = await startProduct({ upstream: lines, args: ["--protocol", "text"], t });
    await other.ready();
    const init = { headers: { "content-type": "text/plain" } };
    const location = locationOf(await other.post(`${REQUEST}?timeout=500ms`, "first", init));
    const second = other.post(REQUEST, "second", init);
    answerFirst();
    assert.equal(await (await second).text(), "SECOND");
    const reply = await other.fetch(`${location}?wait=20`);
    assert.deepEqual([await reply.text(), reply.headers.get("content-type")], ["FIRST", "text/plain; charset=utf-8"]);
  });

  test("the exit releases callers that wait for a late reply", async (t) => {
    const other = await startProduct({ upstream: holding.upstream, t });
    await other.ready();
    const location = locationOf(await other.post(`${REQUEST}?timeout=500ms`, call("hold", ["exit"])));
    const fetched = other.fetch(`${location}?wait=60`);
    await until(async () => Number((await other.state()).in_flight) === 0);
    const stopped = other.stop();
    assert.equal((await fetched).status, 202);
    assert.equal((await stopped).code, 0);
  });

  test("/openapi.json has the route", async () => {
    const { paths } = (await (await product.fetch("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { parameters?: { name: string }[]; responses: object }>>;
    };
    const route = paths["/v1/requests/{id}"]?.get;
    assert.deepEqual(
      route?.parameters?.map(({ name }) => name),
      ["id", "wait", "pick"],
    );
    for (const status of ["200", "202", "404", "410"]) assert.ok(status in (route?.responses ?? {}), status);
    for (const path of ["/v1/upstreams/{upstream}/request", "/v1/upstreams/{upstream}/send", "/rpc"]) {
      assert.ok(
        paths[path]?.post?.parameters?.some(({ name }) => name === "Idempotency-Key"),
        path,
      );
    }
  });
});
