/** Replies of the fault upstream: shuffled, forged, stale and odd. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "./client.ts";
import {
  errorWithoutId,
  forged,
  inBinary,
  inFragments,
  instead,
  late,
  oddTexts,
  repeated,
  shuffled,
  stale,
} from "./replies.ts";
import { startFaultUpstream } from "./upstream.ts";

describe("ways to reply", () => {
  const cases = [
    [
      "twice",
      repeated(2),
      [
        { id: 1, result: "a" },
        { id: 1, result: { copy: 1, of: "a" } },
      ],
    ],
    ["late", late(30), [{ id: 1, result: "a" }]],
    ["in binary", inBinary, [{ id: 1, result: "a" }]],
    ["in fragments", inFragments(3), [{ id: 1, result: "a" }]],
    ["with an error without id", errorWithoutId, [{ id: null, error: { code: -32700, message: "Parse error" } }]],
  ] as const;
  for (const [name, onMessage, expected] of cases) {
    test(name, async (t) => {
      const upstream = await startFaultUpstream({ onMessage }, { t });
      const client = await Client.open(upstream.url, t);
      client.request(1, "echo", "a");
      await client.replies(expected.length);
      assert.deepEqual(
        client.messages,
        expected.map((reply) => ({ jsonrpc: "2.0", ...reply })),
      );
    });
  }

  test("shuffled replies have the same order for the same seed, and none is lost", async (t) => {
    const orders: unknown[][] = [];
    for (const seed of [5, 5, 6]) {
      const upstream = await startFaultUpstream({ onMessage: shuffled({ size: 40, seed }) }, { t });
      const client = await Client.open(upstream.url, t);
      for (let id = 1; id <= 120; id += 1) client.request(id, "echo");
      await client.replies(120);
      orders.push(client.messages.map((message) => (message as { id: unknown }).id));
    }
    const [first = [], again, other] = orders;
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
    assert.deepEqual(
      [...first].sort((a, b) => Number(a) - Number(b)),
      Array.from({ length: 120 }, (_, n) => n + 1),
    );
  });

  test("forged ids come before the honest reply, stale ones after it", async (t) => {
    const upstream = await startFaultUpstream((n) => ({ onMessage: n === 1 ? forged : stale() }), { t });
    const first = await Client.open(upstream.url, t);
    first.request(1, "echo", "honest");
    await first.until(() => first.texts.some((text) => text.includes("honest")));
    assert.equal(first.messages.filter((message) => (message as { id?: unknown }).id === 1).length, 1);
    const second = await Client.open(upstream.url, t);
    second.request(1, "echo", "one");
    second.request(2, "echo", "two");
    await second.replies(3);
    assert.deepEqual(second.messages.at(-1), { jsonrpc: "2.0", id: 1, result: "stale" });
  });

  test("odd texts go out as they are, in place of the reply", async (t) => {
    const texts = [...oddTexts.values()];
    const upstream = await startFaultUpstream({ onMessage: instead(({ id }) => texts[Number(id)] ?? "") }, { t });
    const client = await Client.open(upstream.url, t);
    for (const id of texts.keys()) client.request(id, "echo");
    await client.replies(texts.length);
    assert.deepEqual(client.texts, texts);
  });
});
