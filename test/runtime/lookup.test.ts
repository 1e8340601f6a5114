/** Name lookup on Node: the hosts file, resolv.conf and silent servers. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import type { LookupAddress } from "node:dns";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { candidates, createLookup, fromHosts, type LookupSources } from "../../src/runtime/lookup.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";

/** Only Node resolves names this way: Deno may lack permission to query servers itself. */
const nodeOnly = { skip: runtime === "deno" ? "Deno uses the system's lookup" : false };

const nothing: LookupSources = { hosts: () => undefined, resolvConf: () => undefined };

function resolve(name: string, sources: Partial<LookupSources>, family = 0): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    createLookup({ ...nothing, ...sources })(name, { all: true, family }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
}

/** Starts a DNS server that knows the given A records, or that never replies. */
async function startDns(t: Cleanup, records: Readonly<Record<string, string>> | "silent") {
  const socket = createSocket("udp4");
  const queries: string[] = [];
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join(".");
    const type = query.readUInt16BE(at + 1);
    queries.push(name);
    if (records === "silent") return;
    const address = type === 1 ? records[name] : undefined;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(records[name] === undefined ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(address === undefined ? 0 : 1, 6);
    header.writeUInt32BE(0, 8);
    const reply =
      address === undefined ? [] : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split(".").map(Number)];
    socket.send(Buffer.concat([header, query.subarray(12, at + 5), Buffer.from(reply)]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(async () => {
    socket.close();
  });
  return { server: `127.0.0.1:${(socket.address() as AddressInfo).port}`, queries };
}

test("an address resolves to itself, in either family", async () => {
  assert.deepEqual(await resolve("192.0.2.1", {}), [{ address: "192.0.2.1", family: 4 }]);
  assert.deepEqual(await resolve("::1", {}), [{ address: "::1", family: 6 }]);
});

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
  assert.deepEqual(await resolve("api.localhost", {}, 4), [{ address: "127.0.0.1", family: 4 }]);
});

test("search and ndots of resolv.conf determine the names to query and their order", () => {
  const conf = "nameserver 10.0.0.1\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:1\n";
  assert.deepEqual(candidates("db", conf), ["db.ns.svc.cluster.local", "db.svc.cluster.local", "db"]);
  assert.deepEqual(candidates("example.org.", conf), ["example.org"]);
  assert.deepEqual(candidates("example.org", "search home\n"), ["example.org", "example.org.home"]);
  assert.deepEqual(candidates("example", ""), ["example"]);
});

test("the search list is queried until a server knows the name", nodeOnly, async (t) => {
  const dns = await startDns(t, { "db.svc.example": "192.0.2.9" });
  const sources = { servers: [dns.server], resolvConf: () => "search ns.example svc.example\n" };
  assert.deepEqual(await resolve("db", sources), [{ address: "192.0.2.9", family: 4 }]);
  assert.ok(dns.queries.includes("db.ns.example"));
});

test("an unknown name fails with ENOTFOUND", nodeOnly, async (t) => {
  const dns = await startDns(t, {});
  await assert.rejects(resolve("nobody.example", { servers: [dns.server] }), { code: "ENOTFOUND" });
});

test("a silent server fails within a bound", nodeOnly, async (t) => {
  const dns = await startDns(t, "silent");
  const began = performance.now();
  await assert.rejects(resolve("slow.example", { servers: [dns.server] }), { code: "ETIMEOUT" });
  assert.ok(performance.now() - began < 15_000);
  assert.ok(dns.queries.length >= 2, "queried more than once");
});
