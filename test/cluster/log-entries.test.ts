/** The entries of a log: they come back as they were, and no bytes do more than be refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBatch, encodeBatch } from "../../src/cluster/log-entries.ts";
import { encodeBeat, MalformedMessage } from "../../src/cluster/member-messages.ts";
import type { LogBatch, LogItem } from "../../src/core/cluster/log-batch.ts";

const text = fc.string({ unit: "binary" });
const count = fc.nat();

const item: fc.Arbitrary<LogItem> = fc.oneof(
  fc.record(
    {
      journal: text,
      at: count,
      kind: fc.constantFrom("json", "text", "binary"),
      data: fc.oneof(text, fc.uint8Array()),
      tag: count,
    },
    { requiredKeys: ["journal", "at", "kind", "data"] },
  ),
  fc.record({
    journal: text,
    at: count,
    gap: fc.record(
      {
        dropped: fc.option(count),
        reason: fc.constantFrom("away", "overflow"),
        from: count,
        to: count,
        filled: fc.boolean(),
        why: text,
      },
      { requiredKeys: ["dropped", "reason"] },
    ),
  }),
);

const batch: fc.Arbitrary<LogBatch> = fc.record({
  term: count,
  epoch: text,
  life: fc.option(fc.record({ from: count, at: count, why: text, first: fc.nat() }), { nil: undefined }),
  journals: fc.array(fc.record({ name: text, epoch: text, next: count })),
  items: fc.array(item),
  closed: fc.array(text),
});

test("a batch comes back as it was", () => {
  fc.assert(
    fc.property(batch, (each) => {
      assert.deepEqual(JSON.stringify(decodeBatch(encodeBatch(each))), JSON.stringify(each));
    }),
  );
});

test("bytes that are no batch are refused, whatever they are", () => {
  assert.throws(
    () => decodeBatch(encodeBeat({ member: "m", at: { ms: 0, wallMs: 0 }, owned: [], released: [] })),
    MalformedMessage,
  );
  fc.assert(
    fc.property(batch, fc.nat(), fc.nat({ max: 255 }), (each, at, value) => {
      const bytes = encodeBatch(each);
      bytes[at % bytes.length] = value;
      for (const some of [bytes, bytes.subarray(0, at % bytes.length)]) {
        try {
          decodeBatch(some);
        } catch (error) {
          assert.ok(error instanceof MalformedMessage, String(error));
        }
      }
    }),
  );
});
