/** Instances: a connection for one caller, with all that an upstream has, and with nobody else. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "../../src/client.ts";
import { scrape } from "../support/metrics.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const ALICE = "alice-token-of-this-test-0123456789";
const BOB = "bob-token-of-this-test-0123456789";
const CREDENTIAL = "Bearer credential-of-a-caller-4711";

const call = (id: number, method = "echo", params: unknown[] = [id]) => ({ jsonrpc: "2.0", id, method, params });
const as = (token: string, headers: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${token}`, ...headers },
});

let folder: string;
let product: Product;
let rooms: Upstream;

interface Instance {
  readonly id: string;
  readonly path: string;
  readonly phase: string;
  readonly idle_ms: number;
}

const open = (upstream: string, order: unknown, token = ALICE, headers: Record<string, string> = {}) =>
  product.post(`/v1/upstreams/${upstream}/instances`, order, as(token, headers));

async function opened(upstream: string, order: unknown = {}, token = ALICE, headers = {}): Promise<Instance> {
  const response = await open(upstream, order, token, headers);
  const text = await response.text();
  assert.equal(response.status, 201, text);
  const instance = JSON.parse(text) as Instance;
  assert.equal(response.headers.get("location"), instance.path);
  return instance;
}

const request = ({ path }: Instance, body: unknown, token = ALICE) => product.post(`${path}/request`, body, as(token));
const end = ({ path }: Instance, token = ALICE) => product.fetch(path, { method: "DELETE", ...as(token) });
const get = (path: string, token = ALICE) => product.fetch(path, as(token));
const connectionsOf = (room: string) => rooms.connections.filter(({ path }) => path.startsWith(`/rooms/${room}?`));

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sidesocket-instances-"));
  await writeFile(join(folder, "tokens"), `alice:${ALICE}\nbob:${BOB}\n`);
  rooms = await startUpstream({
    refuse: ({ headers }) => (headers["x-login"] === "wrong-credential" ? 401 : undefined),
  });
  const base = rooms.url;
  product = await startProduct({
    args: ["--token-file", join(folder, "tokens"), "--log-level", "debug"],
    config: {
      shutdown: { drain: "300ms" },
      upstreams: {
        rooms: {
          url: `${base}rooms/\${param:room}?as=\${param:who}`,
          params: { room: "[a-z0-9-]{1,40}|\\.+|dots/?", who: "(?s).*" },
          instances: { max: 24, idle: "30s" },
        },
        shared: { url: `${base}shared`, instances: { max: 4, idle: "1s", life: "3s" } },
        keyed: {
          url: `${base}keyed`,
          headers: { "x-login": "${param:credential}" },
          instances: { credential: "header Upstream-Authorization" },
        },
        login: {
          url: `${base}login`,
          greeting: [
            {
              send: { jsonrpc: "2.0", id: "login", method: "${param:credential}" },
              expect: { match: { "/id": "login" }, reject: { "/error/code": -32601 } },
            },
          ],
          instances: { credential: "header Method" },
        },
      },
    },
  });
  await product.ready();
});

after(async () => {
  await product?.kill();
  await rooms?.stop();
  await rm(folder, { recursive: true });
});

test("a template opens no connection, readiness does not wait for it, and its routes name the cure", async () => {
  assert.deepEqual(
    rooms.connections.map(({ path }) => path),
    ["/shared"],
  );
  const detail = /has no connection of its own: POST \/v1\/upstreams\/rooms\/instances opens one/;
  const sent = await product.post("/v1/upstreams/rooms/request", call(1), as(ALICE));
  await problem(sent, { status: 404, code: "not_found", sent: "no", detail });
  await problem(await get("/v1/upstreams/rooms/messages"), { status: 404, code: "not_found", sent: "no", detail });
  const state = (await (await get("/v1/upstreams/rooms")).json()) as Record<string, unknown>;
  assert.deepEqual([state.phase, state.required, state.instances], ["idle", false, 0]);
});

test("ten callers at once, each with an instance of its own, get only what is theirs", async () => {
  const all = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      const instance = await opened("rooms", { params: { room: `r-${n}`, who: `caller ${n}&x=/` } });
      const replies = await Promise.all(
        Array.from({ length: 20 }, async (_, id) => (await request(instance, call(id, "echo", [n, id]))).json()),
      );
      assert.deepEqual(
        replies,
        Array.from({ length: 20 }, (_, id) => ({ jsonrpc: "2.0", id, result: [n, id] })),
      );
      assert.equal((await request(instance, call(1, "notify", [n + 1]))).status, 200);
      const page = (await (await get(`${instance.path}/messages?after=earliest&wait=5s`)).json()) as {
        messages: unknown[];
      };
      assert.equal(page.messages.length, n + 1, "the messages of its own connection");
      return instance;
    }),
  );
  for (const [n] of all.entries()) {
    const [connection, ...others] = connectionsOf(`r-${n}`);
    assert.equal(others.length, 0);
    assert.equal(connection?.path, `/rooms/r-${n}?as=${encodeURIComponent(`caller ${n}&x=/`)}`);
  }
  const [leaving, ...staying] = all as [Instance, ...Instance[]];
  const pending = request(leaving, call(7, "silent"));
  await rooms.until(() => rooms.texts.some((text) => text.includes('"silent"')));
  assert.equal((await end(leaving)).status, 204);
  assert.equal(connectionsOf("r-0")[0]?.closed?.code, 1001, "the close handshake is over");
  await problem(await pending, { status: 503, code: "cancelled", sent: "maybe", detail: /it was deleted/ });
  await problem(await request(leaving, call(8)), { status: 410, code: "gone", sent: "no", detail: /it was deleted/ });
  const others = await Promise.all(staying.map((instance) => request(instance, call(9))));
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([200]));
  await Promise.all(staying.map((instance) => end(instance)));
  assert.equal(rooms.live.length, 1);
});

test("an instance is its caller's alone: to all others it is unknown, open or ended", async () => {
  const instance = await opened("rooms", { params: { room: "private", who: "" } });
  const unknown = { status: 404, code: "not_found", sent: "no" } as const;
  await problem(await get(instance.path, BOB), unknown);
  await problem(await request(instance, call(1), BOB), unknown);
  await problem(await get(`${instance.path}/messages`, BOB), unknown);
  await problem(await end(instance, BOB), unknown);
  await problem(await get(instance.path.replace("/rooms/", "/shared/")), unknown);
  await problem(await get(`/v1/upstreams/rooms/instances/${"A".repeat(43)}`), unknown);
  const listOf = async (token: string) =>
    ((await (await get("/v1/upstreams/rooms/instances", token)).json()) as { instances: Instance[] }).instances;
  assert.deepEqual([(await listOf(ALICE)).map(({ id }) => id), await listOf(BOB)], [[instance.id], []]);
  const state = (await (await get(instance.path)).json()) as {
    name: string;
    instance: Instance;
    history: { phase: string }[];
  };
  assert.deepEqual([state.name, state.instance.id, state.instance.idle_ms], ["rooms", instance.id, 30_000]);
  assert.deepEqual(state.history[0]?.phase, "idle");
  assert.equal((await end(instance)).status, 204);
  await problem(await get(instance.path), { status: 410, code: "gone", sent: "no" });
  await problem(await get(instance.path, BOB), unknown);
});

test("parameters are refused unless they match as a whole, and no value leaves its place in the url", async () => {
  const wrong = async (params: unknown, detail: RegExp) => {
    const facts = await problem(await open("rooms", { params }), {
      status: 400,
      code: "invalid_request",
      sent: "no",
      detail,
    });
    assert.doesNotMatch(facts.detail, /SECRET/i);
  };
  await wrong({ room: "SECRET room", who: "" }, /params\.room must match/);
  await wrong({ room: "a/../b", who: "" }, /params\.room must match/);
  await wrong({ room: "a\n", who: "" }, /control characters/);
  await wrong({ room: "..", who: "" }, /\. or \.\./);
  await wrong({ room: "a", who: "x".repeat(1_025) }, /longer than 1024/);
  await wrong({ room: "a" }, /params\.who is missing/);
  await wrong({ room: "a", who: "", other: "" }, /unknown parameter "other" \(known: room, who\)/);
  await wrong({ room: 7 }, /params\.room must be/);
  await problem(await open("rooms", { params: { room: "a", who: "" }, idle: "31s" }), {
    status: 400,
    code: "invalid_request",
    sent: "no",
    detail: /at most 30s/,
  });
  const strange = await opened("rooms", { params: { room: "dots/", who: "../#?${file:/etc/hostname}é" } });
  assert.equal((await request(strange, call(1))).status, 200);
  assert.equal(rooms.last.path, `/rooms/dots%2F?as=${encodeURIComponent("../#?${file:/etc/hostname}é")}`);
  await end(strange);
});

test("a caller's credential goes to the upstream and nowhere else, and a refused login is the caller's failure", async () => {
  await problem(await open("keyed", {}), {
    status: 400,
    code: "invalid_request",
    sent: "no",
    detail: /the header Upstream-Authorization is missing/,
  });
  const login = (credential: string) => ({ "upstream-authorization": credential });
  const instance = await opened("keyed", {}, ALICE, login(CREDENTIAL));
  assert.equal((await request(instance, call(1))).status, 200);
  assert.equal(rooms.last.headers["x-login"], CREDENTIAL);
  assert.equal(rooms.last.headers.authorization, undefined, "the token of the API stays here");
  const refused = await opened("keyed", {}, BOB, login("wrong-credential"));
  const failed = await request(refused, call(1), BOB);
  const facts = await problem(failed, { status: 503, code: "upstream_down", sent: "no", detail: /HTTP 401/ });
  assert.equal(facts.upstream, "keyed");
  const welcome = await opened("login", {}, ALICE, { method: "echo" });
  const unwelcome = await opened("login", {}, ALICE, { method: "no-such-method" });
  assert.equal((await request(welcome, call(1))).status, 200);
  await problem(await request(unwelcome, call(1)), { status: 502, code: "login_refused", sent: "no" });
  const shown = [await (await get(instance.path)).text(), await (await get(refused.path, BOB)).text()];
  const events = await (await get("/v1/failures")).text();
  for (const text of [...shown, events, product.stderr()]) {
    assert.doesNotMatch(text, /credential-of-a-caller|wrong-credential/);
  }
  await Promise.all([end(instance), end(refused, BOB), end(welcome), end(unwelcome)]);
});

test("instances count for their upstream, in its state and the metrics, while they are open and once they are gone", async () => {
  type Counters = Readonly<Record<"connects" | "requests" | "replies" | "messages", number>>;
  const names = ["connects", "requests", "replies", "messages"] as const;
  const countersOf = async (path: string) => {
    const { counters } = (await (await get(path)).json()) as { counters: Counters };
    return names.map((name) => counters[name]);
  };
  const upstream = "/v1/upstreams/rooms";
  const before = await countersOf(upstream);
  const grown = async () => (await countersOf(upstream)).map((count, index) => count - (before[index] ?? 0));
  const all = await Promise.all(
    ["counted-1", "counted-2"].map((room) => opened("rooms", { params: { room, who: "" } })),
  );
  for (const instance of all) assert.equal((await request(instance, call(1, "notify", [3]))).status, 200);
  await until(async () => (await grown()).join() === "2,2,2,6", { what: "the counts of two instances" });
  const [leaving] = all as [Instance, Instance];
  assert.deepEqual(await countersOf(leaving.path), [1, 1, 1, 3], "its own counts are its own");
  assert.equal((await end(leaving)).status, 204);
  assert.deepEqual(await grown(), [2, 2, 2, 6], "nothing is forgotten");
  await Promise.all(all.map((instance) => end(instance)));
  const metrics = await scrape(`${product.url}/metrics`, as(ALICE));
  const [, requests = 0] = before;
  assert.equal(metrics.sum("sidesocket_upstream_requests_total", { upstream: "rooms" }), requests + 2);
  const refusals = metrics.sum("sidesocket_upstream_failed_attempts_total", { upstream: "keyed", reason: "http_401" });
  assert.ok(refusals !== undefined && refusals > 0, "an instance that was refused");
});

test("the routes of an upstream are those of an instance, with its own paths", async () => {
  const instance = await opened("shared", { idle: "900ms" });
  const named = await product.post(
    `${instance.path}/subscriptions`,
    { name: "notes", request: { jsonrpc: "2.0", method: "echo", params: [1] }, match: { "/method": "note" } },
    as(ALICE),
  );
  assert.equal(named.status, 201, await named.clone().text());
  assert.equal(named.headers.get("location"), `${instance.path}/subscriptions/notes`);
  const rpc = await product.post(instance.path.replace("/v1/upstreams/", "/rpc/"), call(3), as(ALICE));
  assert.deepEqual(await rpc.json(), { jsonrpc: "2.0", id: 3, result: [3] });
  assert.equal((await product.post(`${instance.path}/send`, call(4), as(ALICE))).status, 204);
  const ticket = await product.post("/v1/tickets", { route: `${instance.path}/messages` }, as(ALICE));
  assert.equal(ticket.status, 201);
  const keys = ["a", "b"].map((result) =>
    request({ ...instance }, call(5, "echo", [result])).then((response) => response.status),
  );
  assert.deepEqual(await Promise.all(keys), [200, 200]);
  assert.equal((await end(instance)).status, 204);
});

test("the client opens instances that are called as their upstream is, and ends them", async () => {
  await using client = connect(product.url, { token: ALICE, upstream: "rooms" });
  const params = { room: "client", who: "" };
  const instance = await client.instance({ params, idleMs: 20_000 });
  assert.equal(instance.idleMs, 20_000);
  assert.ok(instance.endsAt.getTime() - Date.now() > 3_500_000);
  assert.deepEqual(await instance.rpc("echo", ["mine"]), ["mine"]);
  assert.deepEqual((await instance.request(call(2)).json<{ result: unknown }>()).result, [2]);
  await instance.rpc("notify", [2]);
  const messages = instance.messages({ after: "earliest" });
  for (let n = 0; n < 2; n++) assert.equal((await messages.next()).done, false);
  const iterating = messages.next();
  assert.equal((await instance.readState()).phase, "ready");
  const pending = assert.rejects(instance.rpc("silent"), { code: "cancelled", sent: "maybe" });
  await rooms.until(() => connectionsOf("client")[0]?.texts.some((text) => text.includes('"silent"')));
  await Promise.all([instance.close(), instance.close()]);
  await pending;
  assert.equal((await iterating).done, true, "an iteration ends with its instance");
  await assert.rejects(instance.rpc("echo"), { code: "gone", sent: "no" });
  assert.equal(connectionsOf("client")[0]?.closed?.code, 1001);

  await assert.rejects(client.instance({ params: { room: "A" } }), { code: "invalid_request" });
  await assert.rejects(client.instance({ idleMs: Number.NaN }), { code: "invalid_request" });
  await assert.rejects(client.instance({ param: {} } as object), { code: "invalid_request" });
  await using keyed = connect(product.url, { token: ALICE, upstream: "keyed" });
  {
    await using login = await keyed.instance({ headers: { "upstream-authorization": CREDENTIAL } });
    assert.deepEqual(await login.rpc("echo", [1]), [1]);
    assert.equal(rooms.last.headers["x-login"], CREDENTIAL);
  }
  await rooms.until(() => rooms.last.closed, { what: "the end of the block to end the instance" });
});

test("instances are bounded in number, and end when they are idle or old, but not while they are used", async () => {
  const begun = performance.now();
  const [idle, used] = await Promise.all([opened("shared"), opened("shared")]);
  const stream = await product.fetch(`${used.path}/messages`, {
    headers: { ...as(ALICE).headers, accept: "text/event-stream" },
  });
  const more = [await open("shared", {}, BOB), await open("shared", {}, BOB), await open("shared", {}, BOB)];
  assert.deepEqual(more.map(({ status }) => status).sort(), [201, 201, 429]);
  const full = more.find(({ status }) => status === 429) as Response;
  await problem(full, { status: 429, code: "too_many_in_flight", sent: "no", detail: /share|instances\.max/ });
  const ended = async (instance: Instance) => {
    // A request for it would be use.
    const listed = await (await get("/v1/upstreams/shared/instances")).json();
    return !(listed as { instances: Instance[] }).instances.some(({ id }) => id === instance.id);
  };
  await until(() => ended(idle), { within: 5_000, every: 50, what: "the idle one to end" });
  assert.ok(performance.now() - begun >= 1_000, "not sooner");
  await problem(await get(idle.path), { status: 410, code: "gone", sent: "no", detail: /idle for 1 s/ });
  assert.equal(await ended(used), false);
  const text = await stream.text();
  assert.ok(performance.now() - begun >= 3_000, "not before its life is over");
  assert.match(text, /event: end/);
  await problem(await get(used.path), { status: 410, code: "gone", sent: "no", detail: /instances\.life/ });
  const metrics = await (await get("/metrics")).text();
  assert.match(metrics, /sidesocket_upstream_instances_ended_total\{upstream="shared",reason="idle"\} [1-9]/);
  assert.match(metrics, /sidesocket_upstream_instances_ended_total\{upstream="shared",reason="life"\} 1/);
  assert.doesNotMatch(metrics, /#\d+"/, "no instance is a label");
});

test("an exit ends all instances by the same steps, fails what is pending, and counts them", async () => {
  const all = await Promise.all(
    Array.from({ length: 3 }, (_, n) => opened("rooms", { params: { room: `x-${n}`, who: "" } })),
  );
  const silent = () => rooms.texts.filter((text) => text.includes('"silent"')).length;
  const before = silent();
  const pending = all.map((instance) => request(instance, call(1, "silent")));
  await rooms.until(() => silent() === before + all.length);
  const { code } = await product.stop("SIGTERM");
  const failures = await Promise.all(
    pending.map(async (response) => ((await (await response).json()) as { code: string }).code),
  );
  assert.deepEqual(failures, ["cancelled", "cancelled", "cancelled"]);
  const report = product.report();
  assert.equal(code, 0, JSON.stringify(report));
  const closes = report.steps.find(({ step }) => step === "close")?.counts as {
    upstreams: { upstream: string; code: number }[];
  };
  const closed = closes.upstreams.filter(({ upstream }) => upstream.startsWith("rooms#"));
  assert.deepEqual(
    closed.map((each) => each.code),
    [1001, 1001, 1001],
  );
  assert.equal(rooms.live.length, 0);
});
