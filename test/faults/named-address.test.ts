/** An address that the upstream names for the next connection, on the real process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startFaultUpstream } from "./upstream.ts";

const on = { match: { "/method": "reconnect" } };
const SECRET = "k7d9f3a1c5e8b2d4";

/** Two upstreams: the configured one, and the one that it names. */
async function pair(t: Cleanup, listed: (named: string) => string, rotates: boolean) {
  const first = await startFaultUpstream({}, { t });
  const second = await startFaultUpstream({}, { t });
  const { host } = new URL(second.url);
  const to_address = { when: on, at: "/params/url", hosts: [listed(host)] };
  const reconnect = { from: "20ms", to: "100ms", to_address, ...(rotates && { rotate: { on } }) };
  const product = await startProduct({ config: { upstreams: { default: { url: first.url, reconnect } } }, t });
  await product.ready();
  const name = () =>
    first.last.json({ jsonrpc: "2.0", method: "reconnect", params: { url: `ws://${host}/next?session=${SECRET}` } });
  return { first, second, product, name, host };
}

test("the connection rotates to the address that a message names, before the old one is left", async (t) => {
  const { first, second, product, name } = await pair(t, (host) => host, true);
  name();
  const peer = await second.opened();
  assert.equal(peer.request?.path, `/next?session=${SECRET}`);
  await first.until(() => first.last.phase === "ended");
  assert.equal((await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [1] })).status, 200);
  assert.equal(second.texts.length, 1);
  second.last.destroy();
  await first.until(() => first.peers.length === 2 && first.last.phase === "open");
  assert.equal((await product.stop()).code, 0);
  assert.ok(!(product.stdout() + product.stderr()).includes(SECRET), "the address was shown");
});

test("a named address is for the next connection, whenever that comes, and for one attempt", async (t) => {
  const { first, second, product, name } = await pair(t, (host) => host, false);
  name();
  await until(async () => ((await product.state()).counters as Record<string, number>).messages === 1);
  assert.equal(second.peers.length, 0);
  await second.stop();
  first.last.destroy();
  await first.until(() => first.peers.length === 2);
  await product.until(() => product.log().find((line) => /ECONNREFUSED/.test(JSON.stringify(line))));
});

test("an address whose host is not listed is not followed, and the log says so", async (t) => {
  const { first, second, product, name, host } = await pair(t, () => "*.example.org", true);
  name();
  await first.until(() => first.peers.length === 2);
  assert.equal(second.peers.length, 0);
  const why = `the address that the upstream named is not followed: ${host} is not among its hosts`;
  await product.until(() => product.log().find((line) => JSON.stringify(line).includes(why)));
  assert.equal((await product.stop()).code, 0);
  assert.ok(!product.stderr().includes(SECRET), "the address was shown");
});
