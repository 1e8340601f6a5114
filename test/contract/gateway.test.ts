/**
 * A gateway with hello, identify, a sequence in the heartbeat, requests to reconnect, resumes and invalid sessions.
 * `RECONNECTS=100` for the long form.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { GATEWAY_TOKEN, Gateway } from "../support/gateway.ts";
import { type Item, page } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const RECONNECTS = Number(process.env.RECONNECTS ?? 10);

const config = ({ url, host }: Gateway) => `
upstreams:
  default:
    url: "${url}"
    messages: { count: 1000000, bytes: 64MiB }   # the long form has more than are kept by default
    protocol: { preset: discord-gateway, token: "${GATEWAY_TOKEN}", intents: "513" }
    reconnect:
      from: 10ms
      to: 40ms
      to_address: { when: { match: { /t: READY } }, at: /d/resume_gateway_url, hosts: ["${host}"] }
`;

/** Everything in the journal. */
async function messages(product: Product): Promise<readonly Item[]> {
  const all: Item[] = [];
  for (let after = "earliest"; ; ) {
    const { messages: some, next } = await page(product, `?after=${after}&limit=1000`);
    all.push(...some);
    if (some.length === 0) return all;
    after = next;
  }
}

const numbersIn = (items: readonly Item[]) =>
  items.flatMap(({ data }) => {
    const { t, d } = (data ?? {}) as { readonly t?: string; readonly d?: { readonly number: number } };
    return t === "MESSAGE_CREATE" ? [d?.number] : [];
  });

test(`${RECONNECTS} forced reconnects lose and double no message, and leave the identify quota untouched`, async (t) => {
  const gateway = await Gateway.start(t);
  const product = await startProduct({ config: config(gateway), args: ["--log-level", "trace"], t });
  await product.ready();
  const flow = setInterval(() => gateway.message(), 1);
  t.after(() => clearInterval(flow));
  const heartbeatsAsked = () => gateway.control(1);
  const forced = [
    () => gateway.control(7),
    () => gateway.attached?.kill("fin"),
    () => gateway.control(9, true),
    () => gateway.attached?.kill("reset"),
    () => gateway.attached?.close(4000, "Unknown error."),
    () => {
      gateway.invalid = [true, true];
      gateway.control(7);
    },
    () => gateway.attached?.close(1001, "Going away."),
  ];
  for (let n = 0; n < RECONNECTS; n += 1) {
    const before = gateway.resumes;
    heartbeatsAsked();
    forced[n % forced.length]?.();
    await gateway.upstream.until(() => gateway.resumes > before && gateway.attached, { what: `resume ${n + 1}` });
    await until(async () => (await product.state()).phase === "ready", { what: `ready after resume ${n + 1}` });
  }
  const quiet = gateway.heartbeats;
  await gateway.upstream.until(() => gateway.heartbeats >= quiet + 3, { what: "heartbeats" });
  clearInterval(flow);
  const { made } = gateway;
  await until(async () => numbersIn(await messages(product)).at(-1) === made, { what: `message ${made}` });
  const all = await messages(product);
  assert.deepEqual(
    numbersIn(all),
    Array.from({ length: made }, (_, index) => index + 1),
  );
  const gaps = all.flatMap(({ gap }) => gap ?? []);
  assert.ok(gaps.length >= RECONNECTS, `${gaps.length} gaps`);
  assert.deepEqual(
    gaps.filter(({ filled, reason }) => reason !== "away" || filled !== true),
    [],
  );
  assert.equal(gateway.identifies, 1);
  assert.deepEqual(gateway.faults, []);
  t.diagnostic(
    JSON.stringify({ reconnects: RECONNECTS, made, heartbeats: gateway.heartbeats, resumes: gateway.resumes }),
  );

  const { captured } = (await product.state()) as { readonly captured: Record<string, { value: unknown }> };
  assert.equal(captured.interval?.value, gateway.interval);
  assert.deepEqual(captured.session, { present: true, secret: true, keep: true, value: null, fault: null });

  // The session is gone: one identify more, and the gap says that nothing fills it.
  gateway.invalidate();
  gateway.control(7);
  await gateway.upstream.until(() => gateway.identifies === 2, { what: "another identify" });
  await until(async () => (await product.state()).phase === "ready");
  gateway.message();
  await until(async () => numbersIn(await messages(product)).at(-1) === made + 1);
  const last = (await messages(product)).findLast(({ gap }) => gap);
  assert.equal(last?.gap?.filled, false);
  assert.deepEqual(gateway.faults, []);
  assert.equal((await product.stop()).code, 0);
  assert.ok(!/session-\d-5c1f77/.test(product.stderr()), "the session was shown");
});

test("a message waits in vain for a value that no frame has brought, and has it in its place afterwards", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          capture: [{ when: { has: ["/token"] }, values: { token: "/token" }, secret: true }],
          add: { "/params/0": "token:${conn:token}" },
        },
      },
    },
    t,
  });
  await product.ready();
  const echo = { jsonrpc: "2.0", id: 1, method: "echo", params: [1] };
  const early = await product.request(echo);
  assert.equal(early.status, 503);
  assert.equal(early.headers.get("sidesocket-code"), "not_ready");
  assert.equal(early.headers.get("sidesocket-sent"), "no");
  assert.equal(upstream.texts.length, 0);
  upstream.broadcast({ token: "abcd-7" });
  await until(async () => ((await product.state()).captured as Record<string, { present: boolean }>).token?.present);
  assert.equal((await product.request(echo)).status, 200);
  assert.deepEqual(JSON.parse(upstream.texts[0] ?? "").params, ["token:abcd-7", 1]);
});
