/** The plan of a reload: every key has its means, and every upstream is in exactly one place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { configJsonSchema, optionsJson } from "../../src/config/json-schema.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import { PROCESS_MEANS, planReload, type Snapshot, UPSTREAM_MEANS } from "../../src/config/reload-plan.ts";
import { good, selfSigned } from "../faults/certificates.ts";

type Plain = Readonly<Record<string, unknown>>;

async function load(config: Plain, digests: Readonly<Record<string, string>> = {}): Promise<Snapshot> {
  const loaded = await loadConfig({
    flags: { config: "/c.yaml" },
    env: {},
    readFile: async () => JSON.stringify(config),
  });
  return { config: loaded, digests: new Map(Object.entries(digests)) };
}

const url = "wss://example.org/";
const one = (settings: Plain = {}) => load({ upstreams: { a: { url, ...settings } } });

const propertiesOf = (schema: unknown): string[] =>
  Object.keys((schema as { readonly properties: object }).properties).sort();

test("every key of the schema has its means, and no other key has", () => {
  const { upstream } = optionsJson().schema.properties as Record<string, { readonly properties: Plain }>;
  // `template` follows from other settings.
  const keys = Object.keys(UPSTREAM_MEANS).filter((key) => key !== "template");
  assert.deepEqual(keys.sort(), propertiesOf(upstream));
  for (const part of ["limits", "keepalive"] as const) {
    assert.deepEqual(Object.keys(UPSTREAM_MEANS[part]).sort(), propertiesOf(upstream?.properties[part]), part);
  }
  const inFile = Object.keys(PROCESS_MEANS).filter((key) => !key.toLowerCase().endsWith("tokens"));
  const known = [...inFile, "$schema", "upstreams"].sort();
  assert.deepEqual(known, propertiesOf(configJsonSchema()));
});

/** A value of each key of an upstream that is not its default. */
const CHANGED: Readonly<Record<string, readonly [means: string, ...values: unknown[]]>> = {
  url: ["rotated", "wss://example.org/other"],
  allow_plaintext: ["in_place", true],
  required: ["in_place", false],
  headers: ["rotated", { "x-a": "1" }],
  subprotocols: ["rotated", ["p"]],
  greeting: ["rotated", [{ send: "hello" }]],
  protocol: ["replaced", "text", { preset: "json-rpc", frames: { split: "\n" } }],
  connect_within: ["in_place", "3s"],
  addresses: ["in_place", { next_after: "1s" }],
  compression: ["rotated", true],
  limits: ["in_place", { in_flight: 1 }, { pace: { messages: 3 } }, { reply_pause: "1s" }, { batch_items: 1 }],
  keepalive: ["in_place", { ping: "off" }, { silence: "1m" }, { pong_within: "1s" }],
  reconnect: ["in_place", { to: "1m" }, { rotate: { every: "1h" } }],
  messages: ["in_place", { count: 1 }, { readers: 3 }],
  subscriptions: ["in_place", { s: { request: { jsonrpc: "2.0", method: "x" }, match: { "/a": 1 } } }],
  webhooks: ["in_place", [{ url: "https://example.org/hook" }]],
  close_code: ["in_place", 1000],
};

for (const [key, [means, ...values]] of Object.entries(CHANGED)) {
  test(`a changed ${key} is ${means}, there and back`, async () => {
    const before = await one();
    for (const value of values) {
      const after = await one({ [key]: value });
      for (const plan of [planReload(before, after), planReload(after, before)]) {
        assert.deepEqual([...plan.upstreams], [["a", means]], JSON.stringify(value));
        assert.deepEqual([plan.unchanged, plan.applied, plan.needsRestart], [[], [], []]);
      }
    }
  });
}

test("another owner or handover is another part in the cluster", async () => {
  const shared = (settings: Plain) =>
    load({ cluster: { servers: ["nats://nats"] }, upstreams: { a: { url, ...settings } } });
  const before = await shared({});
  for (const after of [
    await shared({ owner: "each" }),
    await shared({ handover: "overlap" }),
    await shared({ when_alone: "stop" }),
  ])
    for (const plan of [planReload(before, after), planReload(after, before)])
      assert.deepEqual([...plan.upstreams], [["a", "replaced"]]);
});

test("a limit of the socket, and a heartbeat, need a new connection", async () => {
  const plan = async (settings: Plain) => planReload(await one(), await one(settings)).upstreams.get("a");
  assert.equal(await plan({ limits: { reply_bytes: "1MiB" } }), "rotated");
  assert.equal(await plan({ keepalive: { heartbeat: { send: "hi", every: "10s" } } }), "rotated");
  assert.equal(await plan({ protocol: "text", limits: { in_flight: 1 }, headers: { a: "1" } }), "replaced");
});

test("another token of a preset's login is a rotation, and another option of it is not", async () => {
  const login = (token: string, more: Plain = {}) => one({ protocol: { preset: "home-assistant", token, ...more } });
  const means = (before: Snapshot, after: Snapshot) => planReload(before, after).upstreams.get("a");
  assert.equal(means(await login("one"), await login("two")), "rotated");
  assert.equal(means(await login("one"), await login("two", { frames: { split: "\n" } })), "replaced");
});

test("a secret file that has changed is a rotation of the upstreams that name it", async () => {
  const config = {
    upstreams: { a: { url, headers: { authorization: "${file:/s}" } }, b: { url } },
  };
  const plan = planReload(await load(config, { "/s": "1" }), await load(config, { "/s": "2" }));
  assert.deepEqual([[...plan.upstreams], plan.unchanged], [[["a", "rotated"]], ["b"]]);
});

test("subscriptions with placeholders are not filled in by a connection that did not read them", async () => {
  const subscriptions = { s: { request: { jsonrpc: "2.0", method: "x", params: ["${file:/s}"] }, match: { "/a": 1 } } };
  assert.equal(planReload(await one(), await one({ subscriptions })).upstreams.get("a"), "replaced");
});

test("a module that has changed in place is in force after a restart, and said to need one until then", async () => {
  const config = { upstreams: { a: { url, protocol: "/module.js" } } };
  const before = await load(config, { "/module.js": "1" });
  const first = planReload(before, await load(config, { "/module.js": "2" }));
  assert.deepEqual([first.needsRestart, first.unchanged], [["upstreams.a.protocol"], ["a"]]);
  const second = planReload(first.after, await load(config, { "/module.js": "2" }));
  assert.deepEqual(second.needsRestart, ["upstreams.a.protocol"]);
  assert.deepEqual(planReload(first.after, await load(config, { "/module.js": "1" })).needsRestart, []);
});

test("what needs a restart stays as it is, and is named until it is in force; the rest is applied", async () => {
  const a = { url };
  const before = await load({ upstreams: { a } });
  const changed = { listen: { port: 1, keep_alive: "1s" }, limits: { memory: "64MiB" }, watch: true };
  const wanted = await load({ upstreams: { a }, ...changed, quota: { keys: 3 }, shutdown: { drain: "1s" } });
  const plan = planReload(before, wanted);
  assert.deepEqual(plan.needsRestart, ["listen.port", "listen.keep_alive", "limits.memory"]);
  assert.deepEqual(plan.applied, ["quota.keys", "shutdown.drain", "watch"]);
  assert.deepEqual(plan.after.config.listen, before.config.listen);
  const again = planReload(plan.after, wanted);
  assert.deepEqual([again.needsRestart, again.applied], [plan.needsRestart, []]);
});

test("the listener's certificate is renewed in place; to have one, or to ask for those of callers, needs a restart", async () => {
  const files: Record<string, string> = { "/c.pem": good.cert, "/k.pem": good.key, "/new.pem": selfSigned.cert };
  files["/new-key.pem"] = selfSigned.key;
  const secured = async (listen: Plain): Promise<Snapshot> => {
    const config = JSON.stringify({ listen });
    const readFile = async (path: string) => files[path] ?? config;
    return { config: await loadConfig({ flags: { config: "/f.yaml" }, env: {}, readFile }), digests: new Map() };
  };
  const tls = { cert: "/c.pem", key: "/k.pem" };
  const before = await secured({ tls });
  const other = await secured({ tls: { cert: "/new.pem", key: "/new-key.pem" } });
  const renewed = planReload(before, other);
  assert.deepEqual([renewed.applied, renewed.needsRestart], [["listen.tls"], []]);
  assert.deepEqual(renewed.after.config.listen, other.config.listen);
  assert.deepEqual(renewed.after.config.certificate, selfSigned);
  assert.deepEqual(planReload(renewed.after, other).applied, []);
  for (const after of [await secured({}), await secured({ tls: { ...tls, ca: "/c.pem" } })]) {
    for (const [from, to] of [[before, after] as const, [after, before] as const]) {
      const plan = planReload(from, to);
      assert.deepEqual([plan.applied, plan.needsRestart], [[], ["listen.tls"]]);
      assert.deepEqual(plan.after.config.listen, from.config.listen);
      assert.equal(plan.after.config.certificate, from.config.certificate);
    }
  }
});

test("the demo neither comes nor goes", async () => {
  const [demo, configured] = [await load({ quota: {} }), await one()];
  for (const [before, after] of [[demo, configured] as const, [configured, demo] as const]) {
    const plan = planReload(before, after);
    assert.deepEqual([plan.needsRestart, plan.upstreams.size], [["upstreams"], 0]);
    assert.equal(plan.after.config.demo, before.config.demo);
    assert.equal(plan.after.config.upstreams, before.config.upstreams);
  }
});

const settings = fc.record(
  {
    url: fc.constantFrom(url, "wss://example.org/2"),
    required: fc.boolean(),
    protocol: fc.constantFrom("json-rpc", "text"),
    limits: fc.record({ in_flight: fc.integer({ min: 1, max: 3 }) }),
    headers: fc.constantFrom({}, { "x-a": "1" }),
  },
  { requiredKeys: ["url"] },
);
const configs = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), settings, { minKeys: 1 });

test("every upstream of both is in exactly one place, and a plan that was carried out leaves nothing to do", async () => {
  await fc.assert(
    fc.asyncProperty(configs, configs, async (former, latter) => {
      const [before, after] = [await load({ upstreams: former }), await load({ upstreams: latter })];
      const plan = planReload(before, after);
      const names = new Set([...Object.keys(former), ...Object.keys(latter)]);
      const placed = [...plan.upstreams.keys(), ...plan.unchanged];
      assert.deepEqual(placed.sort(), [...names].sort());
      for (const [name, change] of plan.upstreams) {
        assert.equal(change === "added", !Object.hasOwn(former, name));
        assert.equal(change === "removed", !Object.hasOwn(latter, name));
      }
      const config: LoadedConfig = plan.after.config;
      assert.deepEqual([...config.upstreams], [...after.config.upstreams]);
      assert.equal(planReload(plan.after, after).upstreams.size, 0);
    }),
    { numRuns: 30 },
  );
});
