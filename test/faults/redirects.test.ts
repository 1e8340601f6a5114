/** Redirects of the upgrade that are followed, and cookies that its responses set. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startUpstream } from "../support/upstream.ts";
import { intact, QUICK, scenes } from "./scene.ts";
import { startFaultUpstream } from "./upstream.ts";

const SECRET = "a-cookie-that-nobody-sees-4711";
const refuse = (status: number, headers: Record<string, string>, body?: string) =>
  ({ handshake: { do: "refuse", status, headers, ...(body !== undefined && { body }) } }) as const;

test("a redirect is followed to a listed host alone, with its headers, within one attempt", async (t) => {
  const target = await startUpstream({ t });
  const second = await startFaultUpstream(refuse(301, { Location: `http://127.0.0.1:${target.port}/there?q=1` }), {
    t,
  });
  const first = await startFaultUpstream(refuse(307, { Location: `ws://localhost:${second.port}/between` }), { t });
  const endless = await startFaultUpstream(refuse(302, { Location: "/again" }), { t });
  const hosts = [`localhost:${second.port}`, `127.0.0.1:${target.port}`];
  const reconnect = { ...QUICK, refused: "1h" };
  const of = await scenes(t, {
    followed: [first, { redirects: hosts, allow_plaintext: true }],
    unlisted: [first, { redirects: hosts.slice(0, 1), allow_plaintext: true, reconnect }],
    endless: [endless, { redirects: [`127.0.0.1:${endless.port}`], reconnect }],
  });
  const here = of("followed");
  await here.phase("ready");
  const [connection] = target.connections;
  assert.deepEqual([connection?.path, connection?.headers.host], ["/there?q=1", `127.0.0.1:${target.port}`]);
  assert.match(String(connection?.headers.authorization), /^Bearer /);
  assert.equal((await here.state()).attempts, 0);
  await of("unlisted").logged(
    /HTTP 301, a redirect to http:\S+\/there\?… that is not followed \(redirects: .* hosts\)/,
  );
  await of("endless").logged(/HTTP 302, a redirect to ws:\S+\/again that is not followed \(redirects: .* 6 in a row\)/);
  assert.equal(endless.peers.length, 6);
  assert.equal(target.connections.length, 1);
  assert.equal((await here.product.stop()).code, 0);
});

test("cookies of an upgrade go with the next one to the same host, until it refuses them, and are shown nowhere", async (t) => {
  const accepted = { do: "accept", headers: { "Set-Cookie": `route=${SECRET}; Path=/; HttpOnly` } } as const;
  const cut = { handshake: accepted, onOpen: (peer: { end(): void }) => peer.end() };
  const script = (n: number) => {
    if (n <= 2) return cut;
    return n === 3 ? refuse(401, {}, `not ${SECRET}`) : { handshake: accepted };
  };
  const upstream = await startFaultUpstream(script, { t });
  const plain = await startFaultUpstream((n) => (n === 1 ? cut : {}), { t });
  const of = await scenes(t, { sticky: [upstream, { cookies: true, headers: { cookie: "mine=1" } }], plain: [plain] });
  await upstream.until(() => upstream.peers[3]?.phase === "open");
  const sent = upstream.peers.slice(0, 4).map(({ request }) => request?.headers.get("cookie"));
  assert.deepEqual(sent, ["mine=1", `mine=1; route=${SECRET}`, `mine=1; route=${SECRET}`, "mine=1"]);
  await of("sticky").logged(/HTTP 401: not \(redacted\)$/);
  await plain.until(() => plain.peers[1]?.phase === "open");
  assert.equal(plain.peers[1]?.request?.headers.get("cookie"), undefined, "only where it is asked for");
  await intact(of("sticky"));
  const { product } = of("sticky");
  assert.ok(!(product.stdout() + product.stderr()).includes(SECRET));
});
