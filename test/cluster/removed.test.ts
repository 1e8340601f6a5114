/** A reload of the owner that removes an upstream: its callers at other replicas, which keep it, hear of it at once. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { RecordingUpstream } from "./scene.ts";

test("callers at another replica hear at once that the owner's reload removed the upstream", {
  skip: lacksNats,
}, async (t) => {
  const [nats, upstream, kept] = await Promise.all([
    JetStream.start({ t }),
    RecordingUpstream.start(t),
    RecordingUpstream.start(t),
  ]);
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-removed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "sidesocket.yaml");
  const write = (more: object) => {
    const upstreams = { other: { url: kept.url, protocol: "json-rpc", owner: "each" }, ...more };
    const shutdown = { drain: "100ms", close: "1s" };
    return writeFile(file, JSON.stringify({ cluster: { servers: [nats.url], lease: "1s" }, shutdown, upstreams }));
  };
  const shared = { default: { url: upstream.url, protocol: "json-rpc" } };
  await write(shared);
  const owner = await startProduct({ t, args: ["--config", file] });
  await until(async () => (await fetch(`${owner.url}/readyz`)).ok, { what: () => owner.stderr() });
  const another = await startProduct({ t, args: ["--config", file] });
  await until(async () => (await fetch(`${another.url}/readyz`)).ok, { what: () => another.stderr() });
  const ask = async (key: string, method: string, isKeyed = false, timeout = "30s") => {
    const response = await fetch(`${another.url}/v1/upstreams/default/request?timeout=${timeout}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(isKeyed && { "idempotency-key": key }) },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: [key] }),
    });
    const { code, sent } = (await response.json()) as { readonly code?: string; readonly sent?: string };
    return [response.status, code, sent];
  };
  assert.deepEqual(await ask("late", "never", true, "300ms"), [504, "reply_timeout", "maybe"]);
  const began = performance.now();
  const waiting = [
    ask("plain", "never"),
    ask("keyed", "never", true),
    ask("keyed", "never", true),
    ask("late", "never", true),
  ];
  await until(() => upstream.timesOf("plain") + upstream.timesOf("keyed") === 2, { what: "the messages" });
  await write({});
  const reloaded = await owner.post("/reload", "");
  assert.equal(reloaded.status, 200, await reloaded.text());
  for (const end of await Promise.all(waiting)) assert.deepEqual(end, [502, "connection_lost", "maybe"]);
  assert.ok(performance.now() - began < 10_000, "long before their deadlines");
  assert.deepEqual(await ask("after", "echo"), [200, undefined, undefined]);
  assert.deepEqual(await ask("keyed", "never", true), [502, "connection_lost", "maybe"]);
  for (const key of ["plain", "keyed", "late", "after"]) assert.equal(upstream.timesOf(key), 1, key);
});
