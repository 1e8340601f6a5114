/** Fault rows 23 to 27: forbidden frames, and texts that are no reply. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fuzzText } from "../chaos/fuzz.ts";
import { problem } from "../contract/expect.ts";
import { residentBytes } from "../support/proc.ts";
import { seeded } from "../support/random.ts";
import { until } from "../support/until.ts";
import { inBinary, oddTexts, replyTo, requestOf } from "./replies.ts";
import { call, intact, scene } from "./scene.ts";
import { startFaultUpstream } from "./upstream.ts";
import { emptyFragments, type Fault, oversized, tinyFragments, violations } from "./violations.ts";

/** The bound for the median: a single one proves little on a busy machine. */
const BROKEN_WITHIN_MS = 100;

test("row 23: each forbidden frame breaks the connection at once, and the next one is made", async (t) => {
  const faults = [...violations];
  const begun: number[] = [];
  const upstream = await startFaultUpstream(
    (n) => {
      const fault = faults[n - 1]?.[1];
      if (!fault) return {};
      const onOpen: Fault = (peer) => {
        begun[n - 1] = performance.now();
        fault(peer);
      };
      // The upstream stays open, like a peer that is unaware of its violation.
      return { onOpen, onClose: false, onEnd: false };
    },
    { t },
  );
  const here = await scene(t, upstream, { reconnect: { from: "1ms", to: "5ms" } });
  await upstream.until(() => upstream.peers.length > faults.length && upstream.last.phase === "open", {
    within: 30_000,
    what: () => `every connection to be broken, after ${faults[upstream.peers.length - 1]?.[0]}`,
  });
  const took = faults.map(([name], at) => {
    const peer = upstream.peers[at];
    assert.ok(peer?.clientEnded, `${name}: the client did not end it`);
    return (upstream.peers[at + 1]?.since ?? 0) - (begun[at] ?? 0);
  });
  const [middle = 0] = took.sort((a, b) => a - b).slice(Math.floor(took.length / 2));
  assert.ok(middle <= BROKEN_WITHIN_MS, `${took.map(Math.round)} ms`);
  await intact(here);
});

const LIMIT_BYTES = 64 * 1024;
const GROWN_AT_MOST = 32 * 1024 * 1024;
/** Requests before the attack. */
const ORDINARY = 200;

const large: ReadonlyMap<string, { readonly fault: Fault; readonly reason: RegExp }> = new Map([
  [
    "a frame over the limit",
    {
      fault: (peer) => peer.text("x".repeat(LIMIT_BYTES + 1)),
      reason: /larger than limits\.reply_bytes \(65536 bytes\)/,
    },
  ],
  ["a declared length of 2^40", { fault: oversized(2n ** 40n), reason: /larger than limits\.reply_bytes/ }],
  ["a million tiny fragments", { fault: tinyFragments(1_000_000), reason: /larger than limits\.reply_bytes/ }],
  [
    "a message in empty fragments without end",
    { fault: emptyFragments(80_000), reason: /more pieces than limits\.reply_bytes allows/ },
  ],
]);

for (const [what, { fault, reason }] of large) {
  test(`row 24: ${what} is refused with 1009 or 1008 and takes no memory`, async (t) => {
    const upstream = await startFaultUpstream((n) => (n > 1 && n <= 4 ? { onMessage: fault } : {}), { t });
    const here = await scene(t, upstream, { limits: { reply_bytes: `${LIMIT_BYTES}B` } });
    const { product } = here;
    await product.ready();
    // What the first requests load is none of the attack's.
    for (let n = 0; n < ORDINARY; n += 1) assert.equal((await here.request("echo")).status, 200);
    upstream.last.reset();
    await upstream.until(() => upstream.peers.length > 1, { what: "the next connection" });
    await product.ready();
    const before = residentBytes(product.pid);
    let most = 0;
    for (let n = 0; n < 3; n += 1) {
      await product.ready();
      const pending = here.request("echo");
      let ended = false;
      void pending.finally(() => {
        ended = true;
      });
      await until(
        () => {
          most = Math.max(most, residentBytes(product.pid));
          return ended;
        },
        { every: 1, what: "the connection to be broken" },
      );
      await problem(await pending, { status: 502, code: "connection_lost", sent: "maybe", detail: reason });
    }
    const codes = upstream.peers.slice(1, 4).map(({ closeFrame }) => closeFrame?.code);
    assert.ok(
      codes.every((code) => code === undefined || code === 1009 || code === 1008),
      codes.join(),
    );
    assert.ok(most - before < GROWN_AT_MOST, `${Math.round((most - before) / 1024)} KiB`);
    await intact(here);
  });
}

test("row 25: a text that is not UTF-8 ends the connection with 1007, and the next one serves", async (t) => {
  const invalid = [
    [0xc3, 0x28],
    [0xff],
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xf4, 0x90, 0x80, 0x80],
    [0x22, 0xe2, 0x82],
  ].map((bytes) => Uint8Array.from(bytes));
  const upstream = await startFaultUpstream(
    (n) => (n <= invalid.length ? { onMessage: (peer) => peer.text(invalid[n - 1] ?? "") } : {}),
    { t },
  );
  const here = await scene(t, upstream);
  for (const [n] of invalid.entries()) {
    await here.product.ready();
    const detail = /INVALID_UTF8/;
    await problem(await here.request("echo"), { status: 502, code: "connection_lost", sent: "maybe", detail });
    await upstream.until(() => upstream.peers[n]?.phase === "ended");
    assert.ok([1007, undefined].includes(upstream.peers[n]?.closeFrame?.code));
  }
  await intact(here);
});

test("row 26: a reply in a binary frame arrives as what it holds, and is matched like any other", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: inBinary }, { t });
  const here = await scene(t, upstream);
  await here.product.ready();
  const response = await here.request("echo", ["binary"]);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(JSON.parse(await response.text()), { jsonrpc: "2.0", id: 1, result: ["binary"] });
  await intact(here);
});

/** Checks that requests survive these texts, which precede each honest reply. */
async function survives(t: Parameters<typeof scene>[0], texts: (id: unknown) => readonly string[], rounds: number) {
  const upstream = await startFaultUpstream(
    {
      onMessage: (peer, frame) => {
        const request = requestOf(frame) ?? {};
        for (const text of texts(request.id)) peer.text(text);
        peer.json(replyTo(request));
      },
    },
    { t },
  );
  const here = await scene(t, upstream);
  await here.product.ready();
  for (let n = 0; n < rounds; n += 1) {
    const response = await here.product.rpc(call("echo", [n], "mine"));
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: "mine", result: [n] });
  }
  assert.equal(upstream.peers.length, 1, here.product.stderr());
  return here;
}

test("row 27: texts that are no reply are counted, settle no request, and end nothing", async (t) => {
  // Some of the corpus are replies to ids 1 and 2, so the first two requests go out before it.
  const texts = (id: unknown): readonly string[] => (Number(id) > 2 ? [...oddTexts.values()] : []);
  const here = await survives(t, texts, 6);
  const { noise = 0, unclaimed = 0, messages = 0 } = (await here.state()).counters ?? {};
  assert.ok(noise >= 4 * 8, `${noise} of noise`);
  assert.ok(noise + unclaimed <= messages && messages >= 4 * (oddTexts.size - 2), `${messages} messages`);
  await intact(here);
});

test("row 27: random texts are counted, settle no request, and end nothing", async (t) => {
  const seed = Number(process.env.FAULT_SEED ?? 27);
  const random = seeded(seed);
  t.diagnostic(`seed ${seed}`);
  const here = await survives(t, (id) => Array.from({ length: 100 }, () => fuzzText(random, id)), 60);
  await intact(here);
});
