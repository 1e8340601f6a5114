/** The preset socket.io in front of npm's `socket.io`, a server that nobody here wrote. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startSocketIo } from "./socket-io.ts";

const PINGS = { pingMs: 100, pongWithinMs: 1_000 };
/** As many take longer than a connection without pongs lives. */
const PONGS = 14;

function upstreamAt(url: string, token: string) {
  const reconnect = { from: "20ms", to: "100ms", refused: "1h" };
  return { url, protocol: { preset: "socket.io", auth: JSON.stringify({ token }) }, reconnect };
}

test("events are acknowledged and heard, through a disconnect, and pings are answered", async (t) => {
  const { url, io } = await startSocketIo({ t, token: "right", ...PINGS });
  const product = await startProduct({ config: { upstreams: { default: upstreamAt(url, "right") } }, t });
  const add = async (a: number, b: number) => (await product.request(["add", a, b])).json();
  const sums = await Promise.all(Array.from({ length: 50 }, (_, n) => add(n, 1)));
  assert.deepEqual(
    sums,
    sums.map((_, n) => [n + 1]),
  );

  await product.fetch("/v1/upstreams/default/send", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '["shout","hello"]',
  });
  const page = await product.fetch("/v1/upstreams/default/messages?after=earliest&wait=5s");
  const { messages } = (await page.json()) as { messages: readonly { readonly data: unknown }[] };
  assert.deepEqual(messages[0]?.data, ["heard", "HELLO"]);

  const connections = async () => ((await product.state()).counters as { connects: number }).connects;
  const before = await connections();
  const { answered } = (await product.state()).counters as { answered: number };
  await until(async () => ((await product.state()).counters as { answered: number }).answered >= answered + PONGS, {
    what: "pongs",
  });
  assert.equal(await connections(), before);

  io.disconnectSockets(true);
  await until(async () => (await connections()) > before, { what: "the next connection" });
  await product.ready();
  assert.deepEqual(await add(2, 3), [5]);
});

test("a login that the server refuses is login_refused", async (t) => {
  const { url } = await startSocketIo({ t, token: "right", ...PINGS });
  const product = await startProduct({ config: { upstreams: { default: upstreamAt(url, "wrong") } }, t });
  await until(async () => (await product.state()).phase === "refused", { what: "the refusal" });
  const response = await product.request(["add", 1, 1]);
  assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [502, "login_refused"]);
  assert.doesNotMatch(await response.text(), /wrong/);
});
