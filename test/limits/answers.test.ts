/** Limits of what waits for its callers: replies that nobody reads, bodies that never end, requests without replies. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { MIB, REQUEST, requestText, rpc, startScene } from "./scene.ts";

/** The long form has as many of them as an attacker would: `ATTACKERS=1000`. */
const ATTACKERS = Number(process.env.ATTACKERS ?? 160);
/** More than the sockets of a connection hold. */
const LARGE = "x".repeat(15_000_000);

/** Below the size from which replies are written in pieces; together, more than the sockets hold. */
const SMALL = "x".repeat(60_000);
const SMALL_REPLIES = 400;

test("clients that never read their replies cost a part of the memory, and ten seconds", async (t) => {
  const scene = await startScene(t, {
    onMessage(message, connection) {
      const { id, method, params } = JSON.parse(String(message));
      const texts: Record<string, string> = { large: LARGE, small: SMALL };
      const result = JSON.stringify(texts[method] ?? params);
      connection.socket.send(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    },
  });
  const clients = await all(ATTACKERS / 16, (n) => scene.client(requestText(REQUEST, rpc(n, "large"))));
  const pipelining = await scene.client(requestText(REQUEST, rpc(0, "small")).repeat(SMALL_REPLIES));
  const held = async (): Promise<number> => (await scene.memory()).accounts.answers ?? 0;
  await until(async () => (await held()) > 0, { within: 20_000, every: 20, what: "a reply" });
  let most = 0;
  // Nobody reads, and nobody leaves: those who take nothing are cut.
  await until(
    async () => {
      const now = await held();
      most = Math.max(most, now);
      return now === 0;
    },
    { within: 40_000, every: 50, what: "the clients to be cut" },
  );
  // It does not read, so only what it writes tells it that its connection has ended.
  const isCut = (): boolean => {
    if (!pipelining.destroyed) pipelining.write("\r\n");
    return pipelining.destroyed;
  };
  await until(isCut, { within: 30_000, every: 200, what: "the reader of small replies to be cut" });
  const { limit_bytes } = await scene.memory();
  assert.ok(most <= 0.5 * limit_bytes + LARGE.length, `${most} bytes of ${limit_bytes}`);
  await scene.borne(() => {
    for (const client of clients) client.destroy();
  });
});

test("half-sent bodies take no more than their part, and small ones pass beside them", async (t) => {
  const scene = await startScene(t);
  const body = `{"jsonrpc":"2.0","id":1,"method":"echo","params":["${"x".repeat(MIB - 100)}`;
  const text = requestText(REQUEST, body, { "Content-Length": String(body.length + 10) });
  const clients = await all(ATTACKERS, () => scene.client(text));
  let refused = 0;
  for (const client of clients) client.once("data", () => refused++).resume();
  const held = async (): Promise<number> => (await scene.memory()).accounts.bodies ?? 0;
  await until(() => refused > 0, { within: 20_000, every: 20, what: "a refusal" });
  assert.ok((await held()) > 0.25 * (await scene.memory()).limit_bytes, `${await held()} bytes`);
  assert.ok((await held()) <= 0.5 * (await scene.memory()).limit_bytes);
  await scene.borne(() => {
    for (const client of clients) client.destroy();
  });
});

test("requests of 1 MB in flight that find no room are refused unsent, and the others get replies", async (t) => {
  const scene = await startScene(t, {
    onMessage(message, connection) {
      const { id, method, params } = JSON.parse(String(message));
      const reply = (): void => connection.send({ jsonrpc: "2.0", id, result: method === "echo" ? params : "late" });
      if (method === "echo") reply();
      else connection.later(2_000, reply);
    },
  });
  const text = "x".repeat(1_000_000);
  const results = await all(ATTACKERS, async (n) => {
    const response = await scene.product.request(rpc(n, "slow", text));
    const body = await response.text();
    return { status: response.status, sent: response.headers.get("sidesocket-sent"), body };
  });
  const refused = results.filter(({ status }) => status === 503);
  const served = results.filter(({ status }) => status === 200);
  t.diagnostic(`${served.length} served, ${refused.length} refused`);
  assert.equal(served.length + refused.length, ATTACKERS);
  assert.ok(served.length > 10 && refused.length > 10);
  for (const { sent, body } of refused) assert.deepEqual([sent, JSON.parse(body).code], ["no", "congested"]);
  await scene.borne(() => {});
  await scene.product.said(/much of limits\.memory is held: (messages that find no room|new streams)/);
  await scene.product.said(/memory: enough is free again/);
});

test("a stop in the midst of unread replies and half-sent bodies stays within its bound", async (t) => {
  const scene = await startScene(t, {
    onMessage(message, connection) {
      const { id, method, params } = JSON.parse(String(message));
      const result = method === "large" ? `"${LARGE}"` : JSON.stringify(params);
      connection.socket.send(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    },
  });
  await all(3, (n) => scene.client(requestText(REQUEST, rpc(n, "large"))));
  const half = requestText(REQUEST, "x".repeat(MIB / 2), { "Content-Length": String(MIB) });
  await all(20, () => scene.client(half));
  await until(async () => (await scene.memory()).held_bytes > LARGE.length, { within: 20_000, what: "replies" });
  const began = performance.now();
  const { code } = await scene.product.stop();
  const took = Math.round(performance.now() - began);
  t.diagnostic(`${took} ms, exit code ${code}`);
  assert.equal(code, 0);
  assert.ok(took < 9_500, `${took} ms`);
});

function all<Item>(count: number, make: (n: number) => Promise<Item>): Promise<Item[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => make(n)));
}
