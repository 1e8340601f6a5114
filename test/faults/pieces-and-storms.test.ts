/** Replies in very many pieces, and upstreams that end each connection soon after it began. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { delay, until } from "../support/until.ts";
import { encodeFrame, OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";
import { replyTo, requestOf } from "./replies.ts";
import { scene, scenes } from "./scene.ts";
import { type Behaviour, startFaultUpstream } from "./upstream.ts";

/** Replies with as many characters as the request says, in the given kind of pieces. */
function inPieces(write: (peer: Peer, payload: Buffer, size: number) => void): Behaviour {
  return {
    onMessage: (peer, frame) => {
      const request = requestOf(frame);
      if (request === undefined) return;
      const [length, size] = request.params as readonly [number, number];
      write(peer, Buffer.from(JSON.stringify(replyTo(request, "z".repeat(length)))), size);
    },
  };
}

const fragments = inPieces((peer, payload, size) => {
  for (let at = 0; at < payload.length; at += size) {
    const isLast = at + size >= payload.length;
    const opcode = at === 0 ? OPCODE.text : OPCODE.continuation;
    peer.frame({ opcode, payload: payload.subarray(at, at + size), fin: isLast });
  }
});

const packets = inPieces((peer, payload, size) => {
  const bytes = encodeFrame({ opcode: OPCODE.text, payload });
  const next = (at: number): void => {
    if (at >= bytes.length) return;
    peer.raw(bytes.subarray(at, at + size));
    setImmediate(() => next(at + size));
  };
  next(0);
});

for (const [what, behaviour, cases] of [
  [
    "fragments",
    fragments,
    [
      [8_000_000, 4_096],
      [1_200_000, 64],
      [12_000_000, 8_192],
    ],
  ],
  ["packets", packets, [[6_000_000, 1_400]]],
] as const) {
  test(`a reply within limits.reply_bytes is good in any number of ${what}, and costs no connection`, async (t) => {
    const upstream = await startFaultUpstream(behaviour, { t });
    const here = await scene(t, upstream);
    await here.product.ready();
    for (const [length, size] of cases) {
      const response = await here.request("get", [length, size], "?timeout=60s");
      const { result, detail } = (await response.json()) as { readonly result?: string; readonly detail?: string };
      assert.equal(result?.length, length, `${length / size} ${what}: ${detail}`);
    }
    assert.equal(upstream.peers.length, 1);
  });
}

/** The time during which connections are counted, in milliseconds. */
const STORM_MS = 5_000;
/** With full jitter from 200 ms, about six are to be expected. */
const MOST = 14;

const enders: Readonly<Record<string, (peer: Peer) => void>> = {
  normally: (peer) => peer.close(1000),
  maintenance: (peer) => peer.close(1011, "maintenance"),
  own: (peer) => peer.close(4000, "too many connections"),
  reset: (peer) => peer.reset(),
};

test("upstreams that say hello and hang up are not stormed, however they do it", async (t) => {
  const started = await Promise.all(
    Object.entries(enders).map(async ([name, end]) => {
      const onOpen = (peer: Peer): void => {
        peer.json({ event: "hello" });
        peer.later(20, () => end(peer));
      };
      return [name, await startFaultUpstream({ onOpen }, { t })] as const;
    }),
  );
  const settings = { reconnect: {} };
  await scenes(t, Object.fromEntries(started.map(([name, upstream]) => [name, [upstream, settings]])));
  await until(() => started.every(([, { peers }]) => peers.length > 0), { what: "the first connections" });
  await delay(STORM_MS);
  for (const [name, { peers }] of started) {
    assert.ok(peers.length >= 2 && peers.length <= MOST, `${name}: ${peers.length} connections in ${STORM_MS} ms`);
  }
});

test("a connection that has served for a while is replaced soon", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  await delay(2_200); // The time that makes a connection one that has served.
  assert.equal((await product.rpc({ jsonrpc: "2.0", id: 1, method: "echo" })).status, 200);
  const peer = await upstream.opened();
  peer.close(1011, "maintenance");
  peer.end();
  await until(() => upstream.peers.length === 2, { within: 2_500, what: "the next connection" });
});
