/** Tests of the parts in which a receiver that replies gets a page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JournalEntry } from "../../src/core/messages/journal.ts";
import { apart, wantsReply } from "../../src/push/reply-batches.ts";

const entry = fc.constantFrom("wanted", "given", "lost", undefined).map((reply): JournalEntry => {
  return { seq: 1, at: 0, kind: "text", data: "", ...(reply && { reply }) };
});

test("messages that want a reply are alone, the others together, and all in their order", () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const parts = apart(entries);
      assert.deepEqual(parts.flat(), entries);
      assert.ok(parts.every((part) => part.length === 1 || !part.some(wantsReply)));
      const joined = parts.some((part, at) => at > 0 && ![...part, ...(parts[at - 1] ?? [])].some(wantsReply));
      assert.ok(!joined, "neighbours that want none are one part");
    }),
  );
});
