/** The ends of instances by what happens around them: a dead thread, a reload, a forced exit. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { threads } from "../support/proc.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const ALICE = "alice-token-of-this-test-0123456789";
const BOB = "bob-token-of-this-test-0123456789";

/** Lines `id text`. The reply `exit` kills the thread, and `silent` is none. */
const DEADLY = `
export default {
  name: "deadly",
  accepts: "any",
  encode: (message, id) => ({ frame: id + " " + message, expectsReply: true }),
  decode(frame) {
    const [id, text] = String(frame).split(" ");
    if (text === "silent") return { type: "message" };
    if (text === "exit") process.exit(3);
    return { type: "reply", id: Number(id), render: () => text };
  },
};`;

const SHUTDOWN = { shutdown: { drain: "300ms" } };
const MAX = 8;
const gone = { status: 410, code: "gone", sent: "no" } as const;

let folder: string;
let product: Product;
let upstream: Upstream;
let upstreams: Record<string, Record<string, unknown>>;

interface Instance {
  readonly id: string;
  readonly path: string;
}

const as = (token: string, headers: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${token}`, ...headers },
});
const get = (path: string, token = ALICE) => product.fetch(path, as(token));
const call = (id: number, params: unknown[] = [id]) => ({ jsonrpc: "2.0", id, method: "echo", params });
const request = ({ path }: Instance, body: unknown, token = ALICE) => product.post(`${path}/request`, body, as(token));
const say = ({ path }: Instance, text: string) =>
  product.post(`${path}/request`, text, as(ALICE, { "content-type": "text/plain" }));
const connectionsTo = (path: string) => upstream.live.filter((connection) => connection.path === path);
const stateOf = async (name: string) => (await (await get(`/v1/upstreams/${name}`)).json()) as Record<string, unknown>;

async function opened(name: string, params: object, token = ALICE, headers = {}): Promise<Instance> {
  const response = await product.post(`/v1/upstreams/${name}/instances`, { params }, as(token, headers));
  const text = await response.text();
  assert.equal(response.status, 201, text);
  return JSON.parse(text) as Instance;
}

async function end({ path }: Instance, token = ALICE): Promise<void> {
  assert.equal((await product.fetch(path, { method: "DELETE", ...as(token) })).status, 204);
}

/** Opens as many as there may be, and ends them: none that has ended holds its place. */
async function assertRoomForAll(name: string, params: object): Promise<void> {
  assert.equal((await stateOf(name)).instances, 0);
  // Alone, a caller may have half. None is connected before it is ended.
  const all = await Promise.all(Array.from({ length: MAX / 2 }, () => opened(name, params)));
  await Promise.all(all.map((instance) => end(instance)));
}

async function reload(changed: Record<string, object>): Promise<Record<string, string>> {
  await writeFile(
    join(folder, "config.json"),
    JSON.stringify({ ...SHUTDOWN, upstreams: { ...upstreams, ...changed } }),
  );
  const response = await product.post("/reload", "", as(ALICE));
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return (JSON.parse(text) as { changed: Record<string, string> }).changed;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sidesocket-instance-ends-"));
  await writeFile(join(folder, "tokens"), `alice:${ALICE}\nbob:${BOB}\n`);
  await writeFile(join(folder, "deadly.mjs"), DEADLY);
  upstream = await startUpstream({
    onMessage: (message, connection) => {
      const text = String(message);
      if (!text.startsWith("{")) return connection.send(text);
      const { id, params } = JSON.parse(text) as { id: number; params: unknown };
      if (params !== null) connection.send({ jsonrpc: "2.0", id, result: params });
    },
  });
  const room = { url: `${upstream.url}room/\${param:room}`, params: { room: "[a-z0-9-]+" } };
  const instances = { max: MAX };
  upstreams = {
    room: { ...room, instances },
    deadly: {
      url: `${upstream.url}deadly/\${param:who}`,
      params: { who: "[a-z0-9]+" },
      protocol: "./deadly.mjs",
      reconnect: { from: "20ms", to: "100ms" },
      instances,
    },
    keyed: { url: `${upstream.url}keyed`, instances: { max: MAX, credential: "header X-Login" } },
  };
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...SHUTDOWN, upstreams }));
  product = await startProduct({
    args: ["--config", join(folder, "config.json"), "--token-file", join(folder, "tokens")],
  });
  await product.ready();
});

after(async () => {
  await product?.kill();
  await upstream?.stop();
  await rm(folder, { recursive: true });
});

test("a dead thread fails what its instances owe with a true `sent`, and they connect again", async () => {
  const all = await Promise.all(["a", "b", "c"].map((who) => opened("deadly", { who })));
  const [killer, ...others] = all as [Instance, Instance, Instance];
  const pending = others.map((instance) => say(instance, "silent"));
  await upstream.until(() => upstream.texts.filter((text) => text.includes("silent")).length === others.length);
  const killing = say(killer, "exit");
  for (const response of await Promise.all([...pending, killing]))
    await problem(response, { status: 502, code: "sidecar_crashed", sent: "maybe" });
  for (const instance of all) assert.equal(await (await say(instance, "hello")).text(), "hello");
  for (const who of ["a", "b", "c"]) assert.equal(connectionsTo(`/deadly/${who}`).length, 1);
  await Promise.all(all.map((instance) => end(instance)));
  for (const instance of all) await problem(await get(instance.path), gone);
  await problem(await get((all[0] as Instance).path, BOB), { status: 404, code: "not_found", sent: "no" });
  await assertRoomForAll("deadly", { who: "d" });
});

test("an instance that keeps killing its thread is kept down alone, and its thread goes with it", async () => {
  const count = threads(product.pid);
  const [deadly, other] = await Promise.all([opened("deadly", { who: "x" }), opened("deadly", { who: "y" })]);
  const phase = async () => ((await (await get(deadly.path)).json()) as { phase: string }).phase;
  for (let deaths = 0; (await phase()) !== "refused"; deaths++) {
    assert.ok(deaths < 10, "it was not refused");
    await problem(await say(deadly, "exit"), { status: 502, code: "sidecar_crashed", sent: "maybe" });
    await until(async () => ["ready", "refused"].includes(await phase()), { what: "it to be back, or down" });
  }
  await problem(await say(deadly, "hello"), { status: 503, code: "upstream_down", sent: "no" });
  assert.equal(await (await say(other, "hello")).text(), "hello");
  await Promise.all([end(deadly), end(other)]);
  await assertRoomForAll("deadly", { who: "z" });
  await until(() => threads(product.pid) <= count, { what: () => `${threads(product.pid)} threads to be ${count}` });
});

test("two credentials never share a socket, nor do two instances with the same one", async () => {
  const [alice, again, bob] = await Promise.all([
    opened("keyed", {}, ALICE, { "x-login": "alice-login" }),
    opened("keyed", {}, ALICE, { "x-login": "alice-login" }),
    opened("keyed", {}, BOB, { "x-login": "bob-login" }),
  ]);
  const calls = Array.from({ length: 10 }, (_, n) => [
    request(alice, call(n, ["alice"])),
    request(again, call(n, ["again"])),
    request(bob, call(n, ["bob"]), BOB),
  ]).flat();
  for (const response of await Promise.all(calls)) assert.equal(response.status, 200);
  const seen = connectionsTo("/keyed").map(({ headers, texts }) => [
    headers["x-login"],
    [...new Set(texts.map((text) => (JSON.parse(text) as { params: string[] }).params[0]))],
  ]);
  assert.deepEqual(seen.sort(), [
    ["alice-login", ["again"]],
    ["alice-login", ["alice"]],
    ["bob-login", ["bob"]],
  ]);
  await Promise.all([end(alice), end(again), end(bob, BOB)]);
});

test("a reload leaves instances alone, renews them, or ends them, as it does their upstream", async () => {
  const instance = await opened("room", { room: "r1" });
  assert.equal((await request(instance, call(1))).status, 200);
  const [first] = connectionsTo("/room/r1");
  assert.deepEqual(await reload({}), {});
  assert.equal((await request(instance, call(2))).status, 200);
  assert.deepEqual(connectionsTo("/room/r1"), [first], "the same socket");

  const { room } = upstreams;
  assert.deepEqual(await reload({ room: { ...room, headers: { "x-new": "1" } } }), { room: "rotated" });
  await until(() => connectionsTo("/room/r1")[0]?.headers["x-new"] === "1", { what: "the new settings' connection" });
  assert.equal((await request(instance, call(3))).status, 200);
  await upstream.until(() => connectionsTo("/room/r1").length === 1, { what: "the former connection to end" });

  // Its value does not fit any more.
  const narrow = { ...room, headers: { "x-new": "1" }, params: { room: "[a-z]+" } };
  assert.deepEqual(Object.keys(await reload({ room: narrow })), ["room"]);
  await problem(await request(instance, call(4)), { ...gone, detail: /changed by a reload/ });
  await upstream.until(() => connectionsTo("/room/r1").length === 0);

  const other = await opened("room", { room: "abc" });
  assert.equal((await request(other, call(5))).status, 200);
  const pending = request(other, { jsonrpc: "2.0", id: 6, method: "echo", params: null });
  await upstream.until(() => upstream.texts.some((text) => text.includes('"params":null')));
  const { room: _, ...rest } = upstreams;
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...SHUTDOWN, upstreams: rest }));
  assert.equal((await product.post("/reload", "", as(ALICE))).status, 200);
  await problem(await pending, { status: 503, code: "cancelled", sent: "maybe" });
  await upstream.until(() => connectionsTo("/room/abc").length === 0);
  await problem(await get(other.path), { status: 404, code: "not_found", sent: "no" });
  await reload({});
  await problem(await get(other.path), { ...gone, detail: /changed by a reload/ });
  await assertRoomForAll("room", { room: "abc" });
});

test("an exit closes each open instance, and its report names them with their codes", async () => {
  const all = await Promise.all(["e1", "e2"].map((room) => opened("room", { room })));
  for (const instance of all) {
    const response = await request(instance, call(1));
    assert.equal(response.status, 200, await response.text());
  }
  const sockets = ["/room/e1", "/room/e2"].flatMap(connectionsTo);
  const { code } = await product.stop();
  const report = product.report();
  assert.equal(code, 0, JSON.stringify(report));
  const closes = report.steps.find(({ step }) => step === "close")?.counts as {
    upstreams: { upstream: string; code: number }[];
  };
  const named = closes.upstreams.filter(({ upstream: name }) => name.startsWith("room#"));
  assert.deepEqual(
    named.map((each) => each.code),
    [1001, 1001],
  );
  await upstream.until(() => sockets.every(({ closed }) => closed?.code === 1001));
});

test("a DELETE during the exit is refused, since the exit ends the instance", async (t) => {
  const other = await startProduct({
    config: {
      shutdown: { drain: "10s" },
      upstreams: { rooms: { url: `${upstream.url}of-the-exit`, instances: { max: MAX } } },
    },
    t,
  });
  await other.ready();
  const { path } = (await (await other.post("/v1/upstreams/rooms/instances", {})).json()) as Instance;
  const slow = other.post(`${path}/request`, call(1, null as unknown as unknown[]));
  await upstream.until(() => connectionsTo("/of-the-exit").some(({ texts }) => texts.length > 0));
  other.child.signal("SIGTERM");
  const isRefused = async () => (await other.post("/v1/upstreams/rooms/request", call(2))).status === 503;
  await until(isRefused, { what: "the exit to begin" });
  await problem(await other.fetch(path, { method: "DELETE" }), { status: 503, code: "shutting_down", sent: "no" });
  other.child.signal("SIGTERM");
  await slow.catch(() => {});
  await other.ended();
});
