/** Rows 19 to 22: which ends of a connection are retried, how soon, and how the configuration overrides that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startFaultUpstream } from "./upstream.ts";

const reconnect = {
  from: "10ms",
  to: "20ms",
  refused: "10m",
  codes: { 4000: "refuse", 1008: "retry", 1001: "slow" },
  statuses: { 401: "retry", 500: "refuse" },
};

const cases: [row: string, code: number, phase: "ready" | "waiting" | "refused"][] = [
  ["row 19", 1000, "ready"],
  ["row 19, overridden", 1001, "waiting"],
  ["row 20", 4401, "refused"],
  ["row 20, overridden", 1008, "ready"],
  ["row 21", 1011, "ready"],
  ["row 21", 1013, "waiting"],
  ["row 22", 4999, "ready"],
  ["row 22, overridden", 4000, "refused"],
];

test("rows 19 to 22: after each close code the next attempt comes soon, slowly, or not", async (t) => {
  const upstreams: Record<string, unknown> = {};
  for (const [, code] of cases) {
    const upstream = await startFaultUpstream((n) => (n === 1 ? { onOpen: (peer) => peer.close(code, "why") } : {}), {
      t,
    });
    upstreams[`c${code}`] = { url: upstream.url, reconnect };
  }
  const product = await startProduct({ config: { upstreams }, t });
  for (const [row, code, phase] of cases) {
    const reason = `closed the connection with code ${code} (why)`;
    const settled = async () => {
      const state = await product.state(`c${code}`);
      return state.phase === phase && String(state.last_error).includes(reason) && state;
    };
    const state = await until(settled, { what: `${row}: ${code} to be ${phase}` });
    if (phase === "waiting") assert.ok(Number(state.retry_in_ms) > 1_000, JSON.stringify(state));
    if (phase === "refused") assert.ok(Number(state.retry_in_ms) > 60_000, JSON.stringify(state));
  }
});

test("rows 7 and 9: the status of a refused upgrade is classified as documented, or as configured", async (t) => {
  const refuse = async (status: number) => {
    const handshake = { do: "refuse", status } as const;
    return startFaultUpstream((n) => (n === 1 ? { handshake } : {}), { t });
  };
  const [retried, refused] = [await refuse(401), await refuse(500)];
  const upstreams = { retried: { url: retried.url, reconnect }, refused: { url: refused.url, reconnect } };
  const product = await startProduct({ config: { upstreams }, t });
  await until(async () => (await product.state("retried")).phase === "ready");
  await until(async () => (await product.state("refused")).phase === "refused");
  assert.deepEqual([retried.peers.length, refused.peers.length], [2, 1]);
});
