/** Fault row 54: a host with several addresses, of which some are dead, slow or refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../contract/expect.ts";
import { A, startDns } from "../support/dns.ts";
import { nameserverHost } from "../support/free-port.ts";
import type { Cleanup } from "../support/until.ts";
import { deadAddress, resolving } from "./addresses.ts";
import { intact, type Scene, scene, scenes } from "./scene.ts";
import { startFaultUpstream } from "./upstream.ts";

const NEEDS_ROOT = "names of our own need root here";

/** Much less than the bound of 10 s, and more than the time of a repeated SYN. */
const SOON_MS = 4_000;

/** Asserts that the first attempt has connected, and soon. */
async function soonReady(here: Scene): Promise<void> {
  const [{ attempts, last_error }, ms] = await timed(here.phase("ready"));
  assert.equal(attempts, 0, last_error ?? "");
  assert.ok(ms < SOON_MS, `${ms} ms`);
}

/** Starts an upstream, and makes another address dead at the same port; its URL by any of the host names. */
async function beside(t: Cleanup, dead: string) {
  const upstream = await startFaultUpstream({}, { t });
  const port = Number(new URL(upstream.url).port);
  await deadAddress(t, dead, port);
  return { port, urlOf: (host: string) => ({ url: `ws://${host}:${port}/` }) };
}

test("row 54: a host of which one address is dead, refused or without a route is connected at once", async (t) => {
  const { urlOf } = await beside(t, "127.0.0.9");
  const addresses = {
    dead: ["127.0.0.9", "127.0.0.1"],
    refused: ["127.0.0.8", "127.0.0.1"],
    refused6: ["::1", "127.0.0.1"],
    unrouted: ["2001:db8::1", "127.0.0.1"],
  };
  const hosts = Object.entries(addresses).flatMap(([name, all]) => all.map((address) => `${address} ${name}.test`));
  const wrapper = await resolving(t, { hosts });
  if (!wrapper) return t.skip(NEEDS_ROOT);
  const names = Object.keys(addresses);
  const upstreams = names.map((name) => [name, [urlOf(`${name}.test`), { allow_plaintext: true }] as const]);
  const of = await scenes(t, Object.fromEntries(upstreams), { wrapper });
  for (const name of names) await soonReady(of(name));
  await intact(of("dead"));
});

test("row 54: a handshake that needs a repeated SYN is not given up for a dead address", async (t) => {
  const { port, urlOf } = await beside(t, "127.0.0.9");
  const slow = await deadAddress(t, "127.0.0.10", port, port);
  const wrapper = await resolving(t, { hosts: ["127.0.0.9 slow.test", "127.0.0.10 slow.test"] });
  if (!wrapper) return t.skip(NEEDS_ROOT);
  // On Deno, the permission for the name covers its addresses.
  const denoPermissions = [`--allow-net=127.0.0.1,slow.test:${port}`, "--allow-env", "--allow-read"];
  const here = await scene(t, urlOf("slow.test"), { allow_plaintext: true }, { wrapper, denoPermissions });
  await here.phase("connecting");
  slow.release();
  await soonReady(here);
  await intact(here);
});

test("row 54: a name server that is silent about IPv6 does not hold up IPv4, of which one address is dead", async (t) => {
  const { urlOf } = await beside(t, "127.0.0.9");
  const host = nameserverHost();
  const wrapper = await resolving(t, { server: host });
  const reply = (_name: string, type: number) => (type === A ? ["127.0.0.9", "127.0.0.1"] : undefined);
  const dns = wrapper && (await startDns(t, reply, { host, port: 53 }));
  if (!dns) return t.skip(NEEDS_ROOT);
  const here = await scene(t, urlOf("half.example"), { allow_plaintext: true }, { wrapper });
  await soonReady(here);
  await intact(here);
});

test("row 54: where every address fails, each is named with its reason", async (t) => {
  const { urlOf } = await beside(t, "127.0.0.9");
  const hosts = ["127.0.0.8 none.test", "255.255.255.255 none.test"];
  const wrapper = await resolving(t, { hosts });
  if (!wrapper) return t.skip(NEEDS_ROOT);
  const here = await scene(t, urlOf("none.test"), { allow_plaintext: true }, { wrapper });
  await here.logged(/could not be reached \((?=.*ECONNREFUSED at 127\.0\.0\.8)(?=.*ENETUNREACH at 255\.255\.255\.255)/);
});
