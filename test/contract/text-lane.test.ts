/** The preset `text` without ids, against upstreams that send more frames than one for each request. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { encodeFrame, OPCODE } from "../faults/frames.ts";
import { runProduct, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { written } from "./files.ts";

const plain = { headers: { "content-type": "text/plain" } };

/** Replies in two frames, with a tick before and after. */
function startChatty(t: Cleanup): Promise<Upstream> {
  return startUpstream({
    t,
    onMessage: (message, connection) => {
      for (const frame of ["tick", `+ ${message}`, "tick", `+OK ${message}`, "tick"]) connection.send(frame);
    },
  });
}

test("with rules, concurrent callers get their own whole replies over one connection", async (t) => {
  const upstream = await startChatty(t);
  const protocol = { preset: "text", reply: "^[+]", final: ["^[+]OK "], collect: {} };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, protocol } } }, t });
  const replies = Array.from({ length: 20 }, async (_, n) => (await product.request(`m${n}`, plain)).text());
  for (const [n, reply] of (await Promise.all(replies)).entries()) assert.equal(reply, `+ m${n}\n+OK m${n}`);
  const { counters } = (await product.state()) as { counters: Record<string, number> };
  assert.deepEqual([counters.connects, counters.messages, counters.unclaimed], [1, 60, 0]);
});

test("without rules, a second frame is never the next caller's reply: the connection is renewed", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const both = ["one", "two"].map((end) => encodeFrame({ opcode: OPCODE.text, payload: `${message} ${end}` }));
      let left = 1;
      return connection.flood(Buffer.concat(both), () => left-- > 0);
    },
  });
  // Each renewal after the first one backs off.
  const reconnect = { from: "1ms", to: "20ms" };
  const config = { upstreams: { default: { url: upstream.url, protocol: "text", reconnect } } };
  const product = await startProduct({ config, t });
  const replies = Array.from({ length: 10 }, async (_, n) => (await product.request(`m${n}`, plain)).text());
  for (const [n, reply] of (await Promise.all(replies)).entries()) assert.equal(reply, `m${n} one`);
  const counters = async () => (await product.state()).counters as Record<string, number>;
  await until(async () => (await counters()).unclaimed === 10, { what: "the last frame" });
  assert.equal(upstream.connections.length, 10, "one for each reply that had a frame too many");
});

test("a feed that only pushes keeps its connection", async (t) => {
  const upstream = await startUpstream({
    t,
    onConnection: (connection) => {
      for (let tick = 0; tick < 100; tick++) connection.send(`tick ${tick}`);
    },
  });
  const config = { upstreams: { default: { url: upstream.url, protocol: "text" } } };
  const product = await startProduct({ config, t });
  const counters = async () => (await product.state()).counters as Record<string, number>;
  await until(async () => (await counters()).messages === 100, { what: "the ticks" });
  assert.deepEqual([upstream.connections.length, (await counters()).unclaimed], [1, 0]);
});

test("an invalid rule ends check-config with its place", async (t) => {
  const file = await written(
    t,
    "text.yaml",
    'upstreams: { default: { url: "ws://127.0.0.1:9", protocol: { preset: text, reply: "(" } } }\n',
  );
  const { code, stderr } = await runProduct(["check-config", file]);
  assert.equal(code, 2);
  assert.match(stderr, /text\.yaml:1:\d+: upstreams\.default\.protocol\.reply: must be an RE2 pattern: missing/);
});
