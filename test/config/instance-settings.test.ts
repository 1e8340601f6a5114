/** Templates of instances: what cannot be one is refused at the start, with the key and the cure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";

const URL_TEXT = "wss://example.org/${param:room}";

function load(upstream: object, token?: string, others: object = {}) {
  const text = JSON.stringify({ upstreams: { rooms: upstream, ...others } });
  const env = token === undefined ? {} : { SIDESOCKET_TOKEN: token };
  return loadConfig({ flags: { config: "/c.json" }, env, readFile: async () => text });
}

const params = { room: "[a-z]+" };

const REFUSED: readonly (readonly [upstream: object, problem: RegExp])[] = [
  [{ url: URL_TEXT, params }, /rooms\.instances: is missing: with params there are only instances/],
  [{ url: URL_TEXT, instances: {} }, /rooms\.params\.room: is missing/],
  [{ url: "wss://example.org/", params, instances: {} }, /rooms\.params\.room: is used nowhere/],
  [{ url: URL_TEXT, params: { room: "(" }, instances: {} }, /rooms\.params\.room: must be an RE2 pattern/],
  [{ url: URL_TEXT, params: { room: "a)|(b" }, instances: {} }, /rooms\.params\.room: must be an RE2 pattern/],
  [{ url: URL_TEXT, params: { room: "\\Qa" }, instances: {} }, /rooms\.params\.room: must be an RE2 pattern/],
  [{ url: "wss://${param:room}/", params, instances: {} }, /rooms\.url: must be a URL/],
  [
    { url: "wss://${param:room}@example.org/", params, instances: {} },
    /rooms\.url: must have its host, and what stands/,
  ],
  [{ url: URL_TEXT, params, instances: {}, ca: "/${param:room}" }, /rooms\.ca: \$\{param:…\} is not resolved here/],
  [
    { url: URL_TEXT, params, instances: {}, webhooks: [{ url: "http://127.0.0.1/" }] },
    /rooms\.webhooks: is not for instances/,
  ],
  [
    { url: "wss://a.org/?${param:credential}", instances: { credential: "header X" } },
    /rooms\.url: .* is not kept secret/,
  ],
  [
    { url: "wss://a.org/", headers: { x: "${param:credential}" }, instances: {} },
    /rooms\.instances\.credential: is missing/,
  ],
  [
    { url: "wss://a.org/", headers: { x: "1" }, instances: { credential: "header X" } },
    /names a header that `headers` sets/,
  ],
  [{ url: "wss://a.org/", instances: { credential: "X" } }, /rooms\.instances\.credential: must be the word header/],
  [{ url: "wss://a.org/", instances: { credential: "header Connection" } }, /reserved for the handshake/],
  [{ url: "ws://a.org/", instances: { credential: "header X" } }, /rooms\.url: would send credentials in the clear/],
];

test("what cannot be a template is refused at the start", async () => {
  for (const [upstream, problem] of REFUSED) await assert.rejects(load(upstream), problem, JSON.stringify(upstream));
});

test("a template is never required and no equivalent of another", async () => {
  const template = { url: URL_TEXT, params, instances: {} };
  const { upstreams } = await load(template);
  assert.deepEqual([upstreams.get("rooms")?.template, upstreams.get("rooms")?.required], [true, false]);
  const shared = await load({ url: "wss://a.org/", instances: {} });
  assert.deepEqual([shared.upstreams.get("rooms")?.template, shared.upstreams.get("rooms")?.required], [false, true]);
  const keyed = await load({ url: "wss://a.org/", instances: { credential: "header X" } });
  assert.equal(keyed.upstreams.get("rooms")?.template, true);
  await assert.rejects(
    load(template, undefined, { other: { url: "wss://a.org/", failover: ["rooms"] } }),
    /only instances/,
  );
});

test("a token of the API is never taken for a credential of a caller", async () => {
  const upstream = { url: "wss://a.org/", instances: { credential: "header authorization" } };
  await assert.rejects(load(upstream, "0123456789abcdef0123456789abcdef"), /Authorization has a token of this API/);
  assert.equal((await load(upstream)).upstreams.get("rooms")?.instances?.credential, "authorization");
});
