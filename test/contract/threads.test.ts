/** Upstreams that share threads, one of which kills its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

/** Nine upstreams share eight threads: the ninth is on the thread of the first. */
const OTHERS = Array.from({ length: 8 }, (_, n) => `u${n}`);

/** Lines `id text`. A text that names a deed does it to the thread: at once, later, or when its reply comes. */
const MODULE = `
const deeds = {
  exit() { process.exit(3); },
  later() { setTimeout(() => { throw new Error("thrown later"); }, 10); },
};
export default {
  name: "deadly",
  accepts: "any",
  encode: (message, id) => ({ frame: id + " " + message, expectsReply: true }),
  decode(frame) {
    const [id, text] = String(frame).split(" ");
    deeds[text]?.();
    if (text in deeds) return { type: "message" };
    return { type: "reply", id: Number(id), render: () => text };
  },
};`;

async function nine(t: Cleanup): Promise<Product> {
  const echo = await startUpstream({ t, onMessage: (message, connection) => connection.send(message) });
  const rpc = await startUpstream({ t });
  const protocol = await written(t, "deadly.mjs", MODULE);
  const reconnect = { from: "20ms", to: "100ms" };
  const upstreams = Object.fromEntries([
    ...OTHERS.map((name) => [name, { url: rpc.url, reconnect }]),
    ["deadly", { url: echo.url, protocol, reconnect }],
  ]);
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready(20_000);
  return product;
}

const say = (product: Product, text: string): Promise<Response> =>
  product.post("/v1/upstreams/deadly/request", text, { headers: { "content-type": "text/plain" } });

async function serves(product: Product, name: string): Promise<void> {
  const body = { jsonrpc: "2.0", id: 1, method: "echo", params: [name] };
  const answer = await product.post(`/rpc/${name}`, JSON.stringify(body));
  assert.deepEqual(((await answer.json()) as { result: unknown }).result, [name]);
}

async function phase(product: Product, name: string): Promise<string> {
  return ((await (await product.fetch(`/v1/upstreams/${name}`)).json()) as { phase: string }).phase;
}

for (const deed of ["exit", "later"]) {
  test(`an upstream that keeps killing a shared thread (${deed}) is kept down alone, and the others serve`, async (t) => {
    const product = await nine(t);
    for (let deaths = 0; (await phase(product, "deadly")) !== "refused"; deaths++) {
      assert.ok(deaths < 10, "it was not refused");
      const response = await say(product, deed);
      await problem(response, { status: 502, code: "sidecar_crashed", sent: "maybe" });
      // After the second death it is alone: the deaths that follow are nobody else's.
      if (deaths >= 2) for (const name of ["u0", "u1"]) await serves(product, name);
      await until(async () => ["ready", "refused"].includes(await phase(product, "deadly")));
      await until(async () => (await phase(product, "u0")) === "ready");
    }
    const down = { status: 503, code: "upstream_down", sent: "no", detail: /given up: it died/ } as const;
    await problem(await say(product, "hello"), down);
    for (const name of OTHERS) await serves(product, name);
    assert.doesNotMatch(product.stderr(), /upstream u[1-7]: idle/);
    assert.equal((await product.stop()).code, 0, product.stderr());
  });
}

test("an upstream whose ids are nested deeply, or long, is refused its subscription, and its thread lives", async (t) => {
  const levels = 1_000_000;
  const ids: Readonly<Record<string, string>> = {
    lists: "[".repeat(levels) + "]".repeat(levels),
    objects: `${'{"a":'.repeat(levels)}0${"}".repeat(levels)}`,
    long: JSON.stringify("\n".repeat(levels)),
  };
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, method } = JSON.parse(String(message)) as { id: number; method: string };
      connection.send(`{"jsonrpc":"2.0","id":${id},"result":${ids[method]}}`);
    },
  });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const order = (method: string) => ({
    request: { jsonrpc: "2.0", method },
    id: "/result",
    match: { "/params/id": "$id" },
    unsubscribe: { jsonrpc: "2.0", method: "unsub", params: ["$id"] },
  });
  for (const method of Object.keys(ids)) {
    const answer = await product.post("/v1/upstreams/default/subscriptions", JSON.stringify(order(method)));
    await problem(answer, { status: 502, code: "invalid_reply", sent: "yes", detail: /no usable id/ });
  }
  assert.equal((await product.state()).phase, "ready");
  assert.doesNotMatch(product.stderr(), /died/);
});
