/** Tests of the kept replies: their bounds, keys and watchers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeptReplies, type KeptReply } from "../../src/core/kept-replies.ts";
import type { Failed, Outcome } from "../../src/core/outcome.ts";
import type { Sent } from "../../src/errors.ts";

const bounds = { keep: 1_000, count: 3, bytes: 100 };
const reply = (bytes: number): Outcome => ({ type: "reply", body: "x".repeat(bytes), queueMs: 0, upstreamMs: 0 });
const failed = (sent: Sent): Failed => ({ type: "failed", failure: { code: "connection_lost", sent, detail: "gone" } });

function open(replies: KeptReplies, id: string, now = 0, key?: string): KeptReply {
  return replies.open({ id, upstream: "u", key, digest: key && "d" }, now) ?? assert.fail(`no room for ${id}`);
}

test("a pending record is kept indefinitely, an ended one for the configured time", () => {
  const replies = new KeptReplies(bounds);
  const kept = open(replies, "a");
  assert.equal(replies.byId("a", 100_000), kept);
  replies.end(kept, reply(10), 100_000);
  assert.deepEqual(replies.byId("a", 100_999)?.state, { phase: "ended", outcome: reply(10) });
  assert.equal(replies.byId("a", 101_000), undefined);
  assert.deepEqual([replies.size, replies.bytes], [0, 0]);
});

test("a late record is kept for the configured time, which restarts when its reply arrives", () => {
  const replies = new KeptReplies(bounds);
  const [late, never] = [open(replies, "late"), open(replies, "never")];
  for (const kept of [late, never]) replies.markLate(kept, failed("maybe"), 0);
  replies.end(late, reply(1), 900);
  assert.equal(replies.byId("never", 1_000), undefined);
  assert.equal(replies.byId("late", 1_899), late);
  replies.end(never, reply(50), 1_000);
  assert.equal(replies.byId("never", 1_000), undefined, "an evicted record does not come back");
  assert.equal(replies.bytes, 1);
});

test("the oldest ended record is evicted to make room, a pending one never", () => {
  const replies = new KeptReplies(bounds);
  const [a, b, c] = [open(replies, "a"), open(replies, "b"), open(replies, "c")];
  assert.equal(replies.open({ id: "d", upstream: "u", key: undefined, digest: undefined }, 0), undefined);
  replies.end(b, reply(1), 1);
  replies.end(a, reply(1), 2);
  open(replies, "d", 3);
  assert.deepEqual([replies.byId("a", 3), replies.byId("b", 3), replies.byId("c", 3)], [a, undefined, c]);
});

test("exceeding the bytes discards the oldest reply but keeps its record", () => {
  const replies = new KeptReplies(bounds);
  const [a, b, c] = [open(replies, "a", 0, "k"), open(replies, "b"), open(replies, "c")];
  replies.end(a, reply(60), 1);
  replies.end(b, reply(60), 2);
  assert.deepEqual([a.state.phase, b.state.phase, replies.bytes], ["dropped", "ended", 60]);
  assert.equal(replies.byKey("k", 3), a);
  const seen: string[] = [];
  c.watchers.add(({ phase }) => seen.push(phase));
  replies.end(c, reply(101), 3);
  assert.deepEqual(
    [seen, c.state.phase, replies.bytes],
    [["ended"], "dropped", 0],
    "watchers get a reply that does not fit",
  );
});

test("a key finds its request unless that ended unsent", () => {
  const replies = new KeptReplies(bounds);
  const first = open(replies, "a", 0, "k");
  assert.equal(replies.byKey("k", 0), first);
  replies.end(first, failed("no"), 1);
  assert.deepEqual([replies.byKey("k", 1), replies.byId("a", 1)], [undefined, first]);
  const second = open(replies, "b", 2, "k");
  replies.end(second, failed("maybe"), 3);
  assert.equal(replies.byKey("k", 3), second);
  assert.equal(replies.byId("a", 1_001), undefined);
  assert.equal(replies.byKey("k", 1_001), second, "evicting an older record does not release the key");
});

test("a batch keeps its key if a single item may have been sent", () => {
  const replies = new KeptReplies(bounds);
  for (const [id, items, done] of [
    ["a", [failed("no"), failed("no")], 0],
    ["b", [failed("no"), failed("maybe")], 0],
    ["c", [failed("no")], 1],
  ] as const) {
    replies.end(open(replies, id, 0, id), { type: "batch", items, done }, 0);
  }
  assert.deepEqual(
    ["a", "b", "c"].map((key) => replies.byKey(key, 0)?.id),
    [undefined, "b", "c"],
  );
});

test("evicting a kept reply notifies its watchers", () => {
  const replies = new KeptReplies(bounds);
  const kept = open(replies, "a");
  replies.markLate(kept, failed("maybe"), 0);
  const seen: string[] = [];
  kept.watchers.add(({ phase }) => seen.push(phase));
  replies.byId("x", 5_000);
  assert.deepEqual(seen, ["dropped"]);
});

test("the bounds always hold, and the bytes are those of the kept replies", () => {
  const step = fc.record({
    act: fc.constantFrom("open", "late", "end"),
    at: fc.nat(20),
    size: fc.nat(120),
    ms: fc.nat(700),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const replies = new KeptReplies(bounds);
      const all: KeptReply[] = [];
      let now = 0;
      for (const { act, at, size, ms } of steps) {
        now += ms;
        const kept = all[at % Math.max(all.length, 1)];
        if (act === "open") {
          const opened = replies.open({ id: `${all.length}`, upstream: "u", key: `${at}`, digest: "d" }, now);
          if (opened) all.push(opened);
        } else if (kept?.state.phase === "pending" && act === "late") {
          replies.markLate(kept, failed("maybe"), now);
        } else if (kept?.state.phase === "pending" || kept?.state.phase === "late") {
          replies.end(kept, reply(size), now);
        }
        const known = all.filter((one) => replies.byId(one.id, now) === one);
        const bytes = known.map(({ state }) =>
          state.phase === "ended" && state.outcome.type === "reply" ? state.outcome.body.length : 0,
        );
        assert.equal(replies.size, known.length);
        assert.equal(
          replies.bytes,
          bytes.reduce((sum, one) => sum + one, 0),
        );
        assert.ok(replies.size <= bounds.count && replies.bytes <= bounds.bytes);
        for (const one of all)
          assert.ok(one.state.phase !== "pending" || known.includes(one), "a pending record was evicted");
      }
    }),
  );
});
