/** Chatter of an upstream, which rules ignore, over HTTP. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { startUpstream } from "../support/upstream.ts";

test("an ignored frame is no message, no reply and no step of a greeting, and is counted", async (t) => {
  const upstream = await startUpstream({
    onConnection: (connection) => {
      connection.send({ type: "ka", welcome: true });
      connection.send("tick 1");
      connection.send({ welcome: true });
    },
    onMessage: (message, connection) => {
      const { id } = JSON.parse(String(message));
      connection.send({ type: "ka", id });
      connection.send({ type: "news" });
      connection.send({ id, ok: true });
    },
    t,
  });
  const protocol = {
    preset: "json",
    ignore: [{ match: { "/type": "ka" } }, { text: "^tick" }],
    answers: [{ when: { match: { "/type": "ka", "/asks": true } }, send: { answer: true } }],
  };
  const greeting = [{ expect: { match: { "/welcome": true } } }];
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol, greeting } } },
    t,
  });
  await product.ready();
  const reply = await product.post("/v1/upstreams/default/request", {});
  assert.deepEqual(await reply.json(), { ok: true });
  const page = await product.fetch("/v1/upstreams/default/messages?after=earliest");
  const { messages } = (await page.json()) as { messages: { data: unknown }[] };
  assert.deepEqual(
    messages.map(({ data }) => data),
    [{ type: "news" }],
  );
  const { ignored, noise } = (await product.state()).counters as Record<string, number>;
  assert.deepEqual([ignored, noise], [3, 0]);
  upstream.connections[0]?.send({ type: "ka", asks: true });
  await upstream.until(() => upstream.texts.includes('{"answer":true}'));
});
