/** Fault rows 1 to 6: an upstream that is absent, has no name, or stays silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problem, timed } from "../contract/expect.ts";
import { DEFAULT_BOUND_MS, stopBy } from "../exit/stopping.ts";
import { NXDOMAIN, SERVFAIL, startDns } from "../support/dns.ts";
import { nameserverHost } from "../support/free-port.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { deadAddress, resolving } from "./addresses.ts";
import type { Handshake } from "./handshake.ts";
import { intact, type Scene, scene } from "./scene.ts";
import { startFaultUpstream } from "./upstream.ts";

/** Asserts that the service is alive, not ready, and refuses requests as unsent. */
async function isDown({ product, request }: Scene): Promise<void> {
  assert.equal((await product.fetch("/livez")).status, 200);
  assert.equal((await product.fetch("/readyz")).status, 503);
  await problem(await request("echo"), { status: 503, code: "upstream_down", sent: "no" });
}

test("row 1: an upstream that refuses at first is retried, and ready within one backoff of its return", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  await upstream.stop();
  const here = await scene(t, upstream, { reconnect: { from: "50ms", to: "400ms" } });
  assert.match((await here.phase("waiting")).last_error ?? "", /ECONNREFUSED/);
  await isDown(here);
  await until(async () => (await here.state()).attempts >= 6, { what: "six attempts" });
  await upstream.restart();
  const [, ms] = await timed(upstream.opened());
  assert.ok(ms < 400 + 2_000, `${ms} ms`);
  assert.equal(upstream.peers.length, 1);
  await intact(here);
});

const NO_NAMESERVER = "a name server of our own needs root here";

for (const [name, code] of [
  ["gives NXDOMAIN", NXDOMAIN],
  ["gives SERVFAIL", SERVFAIL],
  ["nobody can be asked for", undefined],
] as const) {
  test(`row 2: a name that ${name} counts as down, for the reason dns`, async (t) => {
    const host = nameserverHost();
    const wrapper = await resolving(t, { server: host });
    const unasked = { queries: ["nobody"] };
    const dns = wrapper && (code === undefined ? unasked : await startDns(t, () => code, { host, port: 53 }));
    if (!dns) return t.skip(NO_NAMESERVER);
    const here = await scene(t, { url: "ws://nobody.invalid:9/" }, { allow_plaintext: true }, { wrapper });
    assert.match((await here.phase("waiting")).last_error ?? "", /^the upstream's name could not be resolved/);
    assert.ok(dns.queries.length > 0);
    await isDown(here);
    assert.equal((await stopBy(here.product, "SIGTERM")).code, 0);
  });
}

test("row 3: a silent name server holds neither the connect deadline nor the stop nor the join", async (t) => {
  const host = nameserverHost();
  const wrapper = await resolving(t, { server: host });
  const dns = wrapper && (await startDns(t, () => undefined, { host, port: 53 }));
  if (!dns) return t.skip(NO_NAMESERVER);
  const settings = { allow_plaintext: true, connect_within: "400ms" };
  const here = await scene(t, { url: "ws://nobody.example:9/" }, settings, { wrapper });
  assert.match((await here.phase("waiting")).last_error ?? "", /no connection within 400 ms/);
  assert.ok(dns.queries.length > 0);
  await isDown(here);
  await here.phase("connecting");
  const { code, report, ms } = await stopBy(here.product, "SIGTERM");
  assert.equal(code, 0, here.product.stderr());
  assert.deepEqual(report.steps.at(-1)?.outcome, "done");
  assert.ok(ms < DEFAULT_BOUND_MS, `${ms} ms`);
});

test("row 3: a silent name server that a webhook's receiver needs does not hold the stop", async (t) => {
  const server = nameserverHost();
  const wrapper = await resolving(t, { server });
  const dns = wrapper && (await startDns(t, () => undefined, { host: server, port: 53 }));
  if (!dns) return t.skip(NO_NAMESERVER);
  const upstream = await startUpstream({ t });
  const webhooks = [{ url: "http://nobody.example:9/", timeout: "60s" }];
  const config = { upstreams: { default: { url: upstream.url, webhooks } } };
  const product = await startProduct({ config, wrapper, t });
  await product.ready();
  upstream.broadcast("news");
  await until(() => dns.queries.length > 0, { what: "a query for the receiver's name" });
  const { code, report, ms } = await stopBy(product, "SIGTERM");
  assert.equal(code, 0, product.stderr());
  assert.ok(ms - report.ms < 1_000, `the report says ${report.ms} ms, and the process was gone after ${ms} ms`);
});

test("row 4: a dropped SYN is given up at the connect deadline, and retried", async (t) => {
  const { port } = await deadAddress(t);
  const here = await scene(t, { url: `ws://127.0.0.1:${port}/` }, { connect_within: "300ms" });
  const began = performance.now();
  await until(async () => (await here.state()).attempts >= 2, { what: "two attempts" });
  assert.ok(performance.now() - began >= 250);
  assert.match((await here.state()).last_error ?? "", /no connection within 300 ms/);
  const refused = await here.request("echo", [], "?timeout=100ms");
  assert.equal(refused.headers.get("sidesocket-sent"), "no", await refused.text());
  assert.equal((await stopBy(here.product, "SIGTERM")).code, 0, here.product.stderr());
});

const mute: ReadonlyMap<string, Handshake> = new Map<string, Handshake>([
  ["row 5: a handshake that is never answered", { do: "silent" }],
  ["row 6: a handshake that comes one byte at a time", { do: "drip", everyMs: 20 }],
  ["row 6: a handshake whose headers never end", { do: "drip", everyMs: 20, forever: true }],
]);

for (const [name, handshake] of mute) {
  test(`${name} is given up at the connect deadline and retried`, async (t) => {
    const upstream = await startFaultUpstream((n) => (n <= 3 ? { handshake } : {}), { t });
    const here = await scene(t, upstream, { connect_within: "400ms" });
    await upstream.opened();
    for (const { since, endedAt, number } of upstream.peers.slice(0, 3)) {
      const ms = (endedAt ?? Number.POSITIVE_INFINITY) - since;
      assert.ok(ms >= 200 && ms < 2_000, `attempt ${number} ended after ${ms} ms`);
    }
    await here.logged(/no connection within 400 ms \(connect_within\)/);
    await intact(here);
  });
}
