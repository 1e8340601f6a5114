/** Name lookup on Node: the hosts file, resolv.conf and silent servers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/core/connection/address-race.ts";
import type { AddressAnswer } from "../../src/net/connect.ts";
import { candidates, createResolve, fromHosts, type LookupSources } from "../../src/runtime/lookup.ts";
import { A, type DnsReply, type NameServer, NXDOMAIN, startDns } from "../support/dns.ts";
import { runtime } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";

/** Only Node resolves names this way: Deno may lack permission to query servers itself. */
const nodeOnly = { skip: runtime === "deno" ? "Deno uses the system's lookup" : false };

const nothing: LookupSources = { hosts: () => undefined, resolvConf: () => undefined };

/** Resolves a name; the promise settles when both families are answered. */
function resolve(name: string, sources: Partial<LookupSources>): Promise<readonly Address[]> {
  const answers: AddressAnswer[] = [];
  return new Promise((resolve, reject) => {
    createResolve({ ...nothing, ...sources })({ hostname: name, port: 9 }, (answer) => {
      answers.push(answer);
      if (answers.flatMap(({ families }) => families).length < 2) return;
      const addresses = answers.flatMap((each) => each.addresses);
      if (addresses.length > 0) resolve(addresses);
      else reject(answer.error);
    });
  });
}

/** Starts a name server that knows these A records. */
async function knowing(t: Cleanup, records: Readonly<Record<string, readonly string[]>>): Promise<NameServer> {
  return started(t, (name, type) => (type === A ? records[name] : records[name] && []) ?? NXDOMAIN);
}

async function started(t: Cleanup, reply: DnsReply): Promise<NameServer> {
  const dns = await startDns(t, reply);
  assert.ok(dns);
  return dns;
}

test("the hosts file comes first, ignoring case and comments", () => {
  const hosts =
    "# 9.9.9.9 commented\n192.0.2.7\tNode.internal alias # trailing\n2001:db8::7 node.internal\nnonsense here\n";
  assert.deepEqual(fromHosts(hosts, "node.internal"), [
    { address: "192.0.2.7", family: 4 },
    { address: "2001:db8::7", family: 6 },
  ]);
  assert.deepEqual(fromHosts(hosts, "alias"), [{ address: "192.0.2.7", family: 4 }]);
  assert.deepEqual(fromHosts(hosts, "commented"), []);
  assert.deepEqual(fromHosts(hosts, "trailing"), []);
});

test("localhost is loopback even without a hosts file", async () => {
  const families = (await resolve("localhost", {})).map(({ address }) => address);
  assert.deepEqual(families, ["127.0.0.1", "::1"]);
  assert.equal((await resolve("api.localhost", {})).length, 2);
});

test("search and ndots of resolv.conf determine the names to query and their order", () => {
  const conf = "nameserver 10.0.0.1\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:1\n";
  assert.deepEqual(candidates("db", conf), ["db.ns.svc.cluster.local", "db.svc.cluster.local", "db"]);
  assert.deepEqual(candidates("example.org.", conf), ["example.org"]);
  assert.deepEqual(candidates("example.org", "search home\n"), ["example.org", "example.org.home"]);
  assert.deepEqual(candidates("example", ""), ["example"]);
});

test("the search list is queried until a server knows the name", nodeOnly, async (t) => {
  const dns = await knowing(t, { "db.svc.example": ["192.0.2.9"] });
  const sources = { servers: [dns.server], resolvConf: () => "search ns.example svc.example\n" };
  assert.deepEqual(await resolve("db", sources), [{ address: "192.0.2.9", family: 4 }]);
  assert.ok(dns.queries.includes("db.ns.example"));
});

test("an unknown name fails with ENOTFOUND", nodeOnly, async (t) => {
  const dns = await knowing(t, {});
  await assert.rejects(resolve("nobody.example", { servers: [dns.server] }), { code: "ENOTFOUND" });
});

test("a silent server fails within a bound", nodeOnly, async (t) => {
  const dns = await started(t, () => undefined);
  const began = performance.now();
  await assert.rejects(resolve("slow.example", { servers: [dns.server] }), { code: "ETIMEOUT" });
  assert.ok(performance.now() - began < 15_000);
  assert.ok(dns.queries.length >= 2, "queried more than once");
});

test("a family whose query gets no reply does not hold up the other", nodeOnly, async (t) => {
  const dns = await started(t, (_name, type) => (type === A ? ["192.0.2.9"] : undefined));
  const resolve = createResolve({ ...nothing, servers: [dns.server] });
  const began = performance.now();
  const answer = await new Promise<AddressAnswer>((answered) => {
    const leave = resolve({ hostname: "half.example", port: 9 }, answered);
    t.after(leave);
  });
  assert.deepEqual(answer, { families: [4], addresses: [{ address: "192.0.2.9", family: 4 }] });
  assert.ok(performance.now() - began < 1_500);
});

test("a lookup that is left queries nobody any more, and answers nothing", nodeOnly, async (t) => {
  const dns = await started(t, () => undefined);
  const resolve = createResolve({ ...nothing, servers: [dns.server], resolvConf: () => "search one.example\n" });
  const leave = resolve({ hostname: "slow", port: 9 }, () => assert.fail("an answer"));
  await until(() => dns.queries.length === 2, { what: "both queries" });
  leave();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([...new Set(dns.queries)], ["slow.one.example"]);
});
