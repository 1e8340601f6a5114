/** Fault rows 13 to 16: connections that break, and connections that only seem to live. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Ledger } from "../chaos/ledger.ts";
import { startUpstreamProcess } from "../chaos/upstream-process.ts";
import { problem } from "../contract/expect.ts";
import { residentBytes } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import { delay, until } from "../support/until.ts";
import { startProxy } from "./proxy.ts";
import { intact, scene } from "./scene.ts";

/** The number of broken connections: `FAULT_ROUNDS=1000` for the long form. */
const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 30);
const SEED = Number(process.env.FAULT_SEED ?? 13);
const AT_ONCE = 20;
/** The approximate size of one message on the wire. */
const MESSAGE_BYTES = 70;

for (const [row, how] of [
  [13, "reset"],
  [14, "fin"],
] as const) {
  test(`row ${row}: a ${how} at a random byte fails requests truthfully, and nothing is sent twice`, async (t) => {
    const random = seeded(SEED);
    const upstream = await startUpstreamProcess({ t });
    const proxy = await startProxy({ to: upstream.port, t });
    const here = await scene(t, proxy, { reconnect: { from: "1ms", to: "10ms" } });
    const ledger = new Ledger(() => 5_000);
    let begun = { up: 0, down: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      await here.product.ready();
      const side = random() < 0.5 ? "up" : "down";
      const cutAfterBytes = proxy[side].bytes - begun[side] + 1 + Math.floor(random() * AT_ONCE * MESSAGE_BYTES);
      proxy[side].set({ cutAfterBytes, cutBy: how });
      await Promise.all(Array.from({ length: AT_ONCE }, () => ledger.request(here.product, { timeoutMs: 10_000 })));
      proxy.heal();
      const { length } = proxy.links;
      proxy.reset();
      begun = { up: proxy.up.bytes, down: proxy.down.bytes };
      // Until it notices the reset it reports ready, and would lose the next request.
      await proxy.until(() => proxy.links.length > length, { what: "the next connection" });
    }
    await intact(here);
    const { ends, codes, problems } = ledger.judge(await upstream.received());
    assert.deepEqual(problems, [], `seed ${SEED}`);
    t.diagnostic(JSON.stringify({ ends, codes, seed: SEED }));
    assert.ok(ends.reply > 0 && ends.maybe > 0, "both kinds of end must occur");
    assert.deepEqual(
      Object.keys(codes).filter((code) => code !== "connection_lost" && code !== "upstream_down"),
      [],
    );
  });
}

const KEEPALIVE = { ping: "800ms", pong_within: "400ms" };
/** 1.1 × (interval + deadline). */
const FOUND_WITHIN_MS = 1_320;
const TRIES = 4;

for (const load of ["idle", "busy"] as const) {
  test(`row 15: a half-open peer is found while ${load}, requests fail as maybe sent, and it recovers`, async (t) => {
    const upstream = await startUpstreamProcess({ t });
    const here = await scene(t, upstream, { keepalive: KEEPALIVE, connect_within: "500ms" });
    let best = Number.POSITIVE_INFINITY;
    let going = true;
    const busy = Array.from({ length: load === "busy" ? 5 : 0 }, async () => {
      while (going) await (await here.rpc("echo", ["busy"])).body?.cancel();
    });
    for (let round = 0; round < TRIES && best > FOUND_WITHIN_MS; round += 1) {
      await here.product.ready();
      upstream.child.signal("SIGSTOP");
      const stopped = performance.now();
      const pending = load === "busy" ? here.request("echo", ["lost"]) : undefined;
      await until(async () => (await here.state()).phase !== "ready", { every: 2, what: "the peer to be found dead" });
      best = Math.min(best, performance.now() - stopped);
      if (pending) {
        const lost = { status: 502, code: "connection_lost", sent: "maybe", detail: /ping/ } as const;
        await problem(await pending, lost);
      }
      upstream.child.signal("SIGCONT");
    }
    going = false;
    await Promise.all(busy);
    // The best of a few: a single one proves little on a busy machine.
    assert.ok(best <= FOUND_WITHIN_MS, `${best} ms`);
    await intact(here);
  });
}

const FLOOD_BYTES = 64 * 1024;
const BUFFERED_BYTES = 8 * 1024 * 1024;
const FLOODERS = 20;
const EACH = 30;
/** Room for garbage that a runtime has not collected yet: the flood is five times the bound. */
const GROWN_AT_MOST = 256 * 1024 * 1024;
/** The second flood must not be kept either; uncollected garbage may be. */
const PLATEAU_BYTES = 128 * 1024 * 1024;

test("row 16: a half-open peer under a flood of 64 KiB makes us refuse, not grow, and deadlines hold", async (t) => {
  const upstream = await startUpstreamProcess({ t });
  const here = await scene(t, upstream, {
    keepalive: { ping: "60s", pong_within: "30s" },
    limits: { buffered_bytes: `${BUFFERED_BYTES}B` },
  });
  const { product } = here;
  await product.ready();
  const before = residentBytes(product.pid);
  upstream.child.signal("SIGSTOP");
  const codes = new Set<string>();
  /** Floods the upstream and resolves with the peak memory. */
  const flood = async (): Promise<number> => {
    let most = 0;
    const one = async (): Promise<void> => {
      for (let n = 0; n < EACH; n += 1) {
        const began = performance.now();
        const response = await here.request("echo", ["x".repeat(FLOOD_BYTES)], "?timeout=100ms");
        await response.body?.cancel();
        codes.add(`${response.headers.get("sidesocket-code")} ${response.headers.get("sidesocket-sent")}`);
        assert.ok(performance.now() - began < 5_000);
        most = Math.max(most, residentBytes(product.pid));
      }
    };
    await Promise.all(Array.from({ length: FLOODERS }, one));
    return most;
  };
  const first = await flood();
  const second = await flood();
  assert.ok(codes.has("congested no"), [...codes].join());
  assert.deepEqual(
    [...codes].filter((code) => !/^(congested no|reply_timeout (no|maybe))$/.test(code)),
    [],
  );
  const mebibytes = (bytes: number): number => Math.round(bytes / 1024 / 1024);
  t.diagnostic(`grew by ${mebibytes(first - before)} MiB, then by ${mebibytes(second - first)} MiB`);
  assert.ok(first - before < GROWN_AT_MOST && second - first < PLATEAU_BYTES, `${before} ${first} ${second}`);
  upstream.child.signal("SIGCONT");
  await delay(100);
  await until(async () => (await here.rpc("echo")).status === 200, { what: "to be served again", every: 50 });
  await intact(here);
});
