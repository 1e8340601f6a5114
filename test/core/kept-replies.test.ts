/** Tests of the kept replies: their bounds, keys and watchers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeptReplies, type KeptReply } from "../../src/core/kept-replies.ts";
import type { Failed, Outcome } from "../../src/core/outcome.ts";
import { Budget } from "../../src/core/util/budget.ts";
import type { Sent } from "../../src/errors.ts";

const bounds = { keep: 1_000, count: 3, bytes: 100 };
const reply = (bytes: number): Outcome => ({ type: "reply", body: "x".repeat(bytes), queueMs: 0, upstreamMs: 0 });
const failed = (sent: Sent): Failed => ({ type: "failed", failure: { code: "connection_lost", sent, detail: "gone" } });

function open(replies: KeptReplies, id: string, now = 0, key?: string): KeptReply {
  const kept = replies.open({ id, upstream: "u", owner: "me", key, digest: key && "d" }, now);
  return typeof kept === "string" ? assert.fail(`no room for ${id}: ${kept}`) : kept;
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
  const another = { id: "d", upstream: "u", owner: "me", key: undefined, digest: undefined };
  assert.equal(replies.open(another, 0), "full");
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

test("a failure counts with everything that it holds, and loses its texts when they do not fit", () => {
  const replies = new KeptReplies(bounds);
  const failure = { code: "reply_timeout", sent: "maybe", detail: "no reply" } as const;
  const [late, ended, all] = [open(replies, "late"), open(replies, "ended"), open(replies, "all")];
  replies.markLate(late, { type: "failed", failure, own: "i".repeat(50) }, 0);
  assert.equal(replies.bytes, 50);
  replies.end(ended, { type: "failed", failure, own: "i".repeat(50), upstreamError: "e".repeat(20) }, 0);
  assert.equal(replies.bytes, 70);
  assert.deepEqual(late.state, { phase: "late", failed: { type: "failed", failure } });
  replies.end(all, { type: "batch", items: [{ type: "failed", failure, own: "i".repeat(50) }], done: 1 }, 0);
  assert.deepEqual(
    [ended.state, all.state],
    [
      { phase: "ended", outcome: { type: "failed", failure } },
      { phase: "dropped", sent: "maybe" },
    ],
  );
  assert.equal(replies.bytes, 0);
});

test("a key lives its time: records without one are evicted first, and then new keys are refused", () => {
  const replies = new KeptReplies(bounds);
  const [a, b, c] = [open(replies, "a", 0, "a"), open(replies, "b", 0, "b"), open(replies, "c", 0)];
  for (const kept of [a, b, c]) replies.end(kept, reply(1), 0);
  const d = open(replies, "d", 1, "d");
  assert.deepEqual([replies.byId("c", 1), replies.byKey("a", 1)], [undefined, a]);
  const another = { id: "e", upstream: "u", owner: "me", key: "e", digest: "d" };
  assert.equal(replies.open(another, 1), "full");
  assert.equal(replies.open({ ...another, key: undefined }, 1), "full");
  replies.end(d, failed("no"), 1);
  assert.equal(open(replies, "e", 1, "e").key, "e", "an unsent request has no key any more");
  assert.equal(replies.byKey("a", 999), a);
  assert.equal(replies.byKey("a", 1_000), undefined);
});

test("where callers share, nobody's keys leave no room for those of the next", () => {
  const replies = new KeptReplies({ ...bounds, count: 16 }, Budget.alone(), { keys: undefined, shared: true });
  const fill = (owner: string): number => {
    for (let n = 0; ; n++) {
      const id = `${owner}${n}`;
      if (replies.open({ id, upstream: "u", owner, key: id, digest: "d" }, 0) === "share") return n;
    }
  };
  assert.deepEqual([fill("a"), fill("b"), fill("c")], [9, 4, 2]);
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

test("where replicas share an upstream, a key keeps its reply here, and a failure is left to its owner", () => {
  const replies = new KeptReplies({ ...bounds, count: 10 });
  const ended = (key: string, outcome: Outcome, isShared = true) => {
    const kept = replies.open({ id: key, upstream: "u", owner: "me", key, digest: "d", isShared }, 0);
    assert.ok(typeof kept !== "string" && replies.byKey(key, 0) === kept, "others join it");
    replies.end(kept, outcome, 1);
    return replies.byKey(key, 1) === kept;
  };
  assert.equal(ended("a", reply(1)), true);
  assert.equal(ended("b", { type: "done" }), true);
  assert.equal(ended("c", failed("maybe")), false);
  assert.equal(ended("d", { type: "batch", items: [failed("maybe")], done: 0 }), false);
  assert.equal(ended("e", failed("maybe"), false), true);
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
      /** The keys of ended requests, and until when each lives. */
      const keyed = new Map<string, number>();
      let now = 0;
      for (const { act, at, size, ms } of steps) {
        now += ms;
        const kept = all[at % Math.max(all.length, 1)];
        if (act === "open") {
          const key = at % 2 === 0 ? `${at}` : undefined;
          if (key !== undefined && replies.byKey(key, now)) continue;
          const id = `${all.length}`;
          const opened = replies.open({ id, upstream: "u", owner: `${at % 3}`, key, digest: "d" }, now);
          if (typeof opened !== "string") all.push(opened);
        } else if (kept?.state.phase === "pending" && act === "late") {
          replies.markLate(kept, failed("maybe"), now);
        } else if (kept?.state.phase === "pending" || kept?.state.phase === "late") {
          replies.end(kept, reply(size), now);
          if (kept.key !== undefined) keyed.set(kept.key, now + bounds.keep);
        }
        for (const [key, until] of keyed) if (now < until) assert.ok(replies.byKey(key, now), "a key was forgotten");
        const known = all.filter((one) => replies.byId(one.id, now) === one);
        const bytes = known.map(({ state }) => {
          return state.phase === "ended" && state.outcome.type === "reply" ? state.outcome.body.length : 0;
        });
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
