/** Tests of the journal: its pages, bounds, gaps and cursors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Cursor,
  cursorText,
  Journal,
  type JournalEntry,
  type MessageFilter,
  type Page,
  parseCursor,
} from "../../../src/core/messages/journal.ts";

const EPOCH = "now";
const roomy = { count: 1_000, bytes: 1024 * 1024 };
/** Overhead of an entry besides its data, in bytes. */
const ENTRY = 128;

function filled(count: number, bounds = roomy): Journal {
  const journal = new Journal(EPOCH, bounds);
  for (let n = 1; n <= count; n++) journal.append(`m${n}`, "text", n);
  return journal;
}

function read(journal: Journal, after: Cursor | "earliest" | "latest", limit = 100): Page {
  const page = journal.read({ after, limit });
  assert.ok(page);
  return page;
}

/** Renders entries as `m1 m2`, with gaps as `[overflow 3]` and `[away ?]`. */
function brief(entries: readonly JournalEntry[]): string {
  const words = entries.map((entry) =>
    "gap" in entry ? `[${entry.gap.reason} ${entry.gap.dropped ?? "?"}]` : String(entry.data),
  );
  return words.join(" ");
}

const at = (seq: number): Cursor => ({ epoch: EPOCH, seq });

test("a page begins after its cursor, respects its limit, and states where the next one begins", () => {
  const journal = filled(5);
  const first = read(journal, "earliest", 2);
  assert.deepEqual([brief(first.entries), first.next, first.end], ["m1 m2", 2, false]);
  const second = read(journal, at(first.next), 3);
  assert.deepEqual([brief(second.entries), second.next, second.end], ["m3 m4 m5", 5, true]);
  const third = read(journal, at(second.next));
  assert.deepEqual([brief(third.entries), third.next, third.end], ["", 5, true]);
  assert.deepEqual([read(journal, "latest").entries, read(journal, "latest").next], [[], 5]);
});

test("exceeding the count evicts the oldest entries, and a gap reports exactly how many a reader missed", () => {
  const journal = filled(10, { count: 4, bytes: roomy.bytes });
  assert.equal(brief(read(journal, "earliest").entries), "[overflow 6] m7 m8 m9 m10");
  const behind = read(journal, at(2));
  assert.deepEqual([brief(behind.entries), behind.gone], ["[overflow 4] m7 m8 m9 m10", true]);
  const [gap] = behind.entries;
  assert.deepEqual(gap && "gap" in gap && [gap.gap.after, gap.gap.before, gap.seq], ["now-2", "now-7", 6]);
  assert.equal(read(journal, at(6)).gone, false, "nothing is missing between 6 and 7");
});

test("a text counts by its bytes and is returned unchanged", () => {
  const journal = new Journal(EPOCH, roomy);
  const texts = ["\u65e5\u672c", "\u{1f642}", "", "x".repeat(20_000)];
  for (const text of texts) journal.append(text, "text", 1);
  assert.equal(journal.bytes, 4 * ENTRY + 6 + 4 + 20_000);
  assert.deepEqual(
    read(journal, "earliest").entries.map((entry) => "data" in entry && entry.data),
    texts,
  );
});

test("exceeding the bytes evicts the oldest entries, and a message larger than the bound is kept alone", () => {
  const journal = new Journal(EPOCH, { count: 100, bytes: 3 * (ENTRY + 10) });
  for (let n = 1; n <= 5; n++) journal.append(`message ${n}.`, "text", n);
  assert.deepEqual([journal.size, journal.bytes], [3, 3 * (ENTRY + 10)]);
  journal.append("x".repeat(10_000), "text", 6);
  assert.deepEqual([journal.size, journal.bytes], [1, ENTRY + 10_000]);
  journal.append("small", "text", 7);
  assert.deepEqual([journal.size, journal.bytes], [1, ENTRY + 5]);
});

test("a page ends when it is full, and a message larger than a page comes alone", () => {
  const journal = new Journal(EPOCH, { count: 10, bytes: 1024 ** 3 });
  const large = "x".repeat(3 * 1024 * 1024);
  for (const data of ["a", large, "b", "c"]) journal.append(data, "text", 1);
  const lengths: number[][] = [];
  for (let page = read(journal, "earliest"); page.entries.length > 0; page = read(journal, at(page.next))) {
    lengths.push(page.entries.map((entry) => ("data" in entry ? entry.data.length : 0)));
  }
  assert.deepEqual(lengths, [[1], [large.length], [1, 1]]);
});

test("a time without a connection is a gap with its times and reason, except before the first connection", () => {
  const journal = new Journal(EPOCH, roomy);
  journal.markAway(5, "never there");
  journal.append("m1", "text", 10);
  journal.markAway(20, "reset");
  journal.markAway(25, "refused");
  journal.markBack(30);
  journal.markBack(31);
  journal.append("m2", "text", 40);
  const { entries, next } = read(journal, "earliest");
  assert.equal(brief(entries), "m1 [away ?] m2");
  const gap = entries[1];
  assert.ok(gap && "gap" in gap);
  assert.deepEqual(gap.gap, {
    after: "now-1",
    before: "now-3",
    dropped: null,
    reason: "away",
    from: 20,
    to: 30,
    why: "reset",
  });
  assert.equal(next, 3);
  assert.equal(brief(read(journal, at(2)).entries), "m2", "a gap has a cursor of its own");
});

test("a connection that stays away is recorded at once, and again when it is back", () => {
  const journal = new Journal(EPOCH, roomy);
  journal.recordAway(1, "not there yet");
  journal.append("m1", "text", 10);
  journal.markAway(20, "reset");
  journal.recordAway(25, "refused");
  assert.equal(brief(read(journal, "earliest").entries), "m1 [away ?]");
  journal.append("m2", "text", 40);
  const gaps = read(journal, "earliest").entries.flatMap((entry) => ("gap" in entry ? [entry.gap] : []));
  assert.deepEqual(
    gaps.map(({ from, to, why }) => [from, to, why]),
    [
      [20, 25, "refused"],
      [25, 40, "refused"],
    ],
  );
});

test("evicting a gap of unknown size makes the resulting gap one of unknown size", () => {
  const journal = new Journal(EPOCH, { count: 3, bytes: roomy.bytes });
  for (let n = 1; n <= 2; n++) journal.append(`m${n}`, "text", n);
  journal.markAway(2, "");
  for (let n = 3; n <= 7; n++) journal.append(`m${n}`, "text", n);
  // m1 m2 gap m3 m4 | m5 m6 m7
  assert.equal(brief(read(journal, "earliest").entries), "[overflow ?] m5 m6 m7");
  assert.equal(brief(read(journal, at(2)).entries), "[overflow ?] m5 m6 m7");
  assert.equal(brief(read(journal, at(3)).entries), "[overflow 2] m5 m6 m7");
  assert.equal(brief(read(journal, at(4)).entries), "[overflow 1] m5 m6 m7");
});

test("a cursor of another epoch is never mistaken for one of this epoch", () => {
  const journal = new Journal(EPOCH, roomy, ["before"], 7);
  journal.append("m1", "text", 8);
  const crashed = read(journal, { epoch: "before", seq: 900 });
  assert.deepEqual([brief(crashed.entries), crashed.gone], ["[crashed ?] m1", false]);
  const foreign = read(journal, { epoch: "else", seq: 1 });
  assert.deepEqual([brief(foreign.entries), foreign.gone], ["[expired ?] [crashed ?] m1", true]);
  assert.equal(foreign.entries[0]?.at, 7, "a gap takes the time of the entry that follows it");
  const empty = new Journal(EPOCH, roomy, [], 5);
  assert.deepEqual(read(empty, { epoch: "else", seq: 1 }).entries[0]?.at, 5);
  assert.equal(journal.read({ after: at(3), limit: 1 }), undefined, "ahead of every entry");
});

test("a cursor from before a crash gets a gap even after the entry of the crash was evicted", () => {
  const journal = new Journal(EPOCH, { count: 2, bytes: roomy.bytes }, ["before"], 7);
  for (let n = 1; n <= 5; n++) journal.append(`m${n}`, "text", n);
  assert.equal(brief(read(journal, { epoch: "before", seq: 1 }).entries), "[crashed ?] m4 m5");
});

/** A filter that knows nothing from before. */
function endsIn(text: string): MessageFilter {
  return {
    rules: 1,
    known: () => undefined,
    selects: (_seq, _bytes, message) => String(message().data).endsWith(text),
  };
}

test("a message that a filter cannot examine at once ends the page before it, and one that it knows is not examined", () => {
  const journal = filled(10, { count: 100, bytes: 100_000 });
  const unsure: MessageFilter = {
    rules: 1,
    known: (seq) => (seq < 4 ? seq === 2 : undefined),
    selects: (seq) => (seq === 6 ? undefined : true),
  };
  const page = journal.read({ after: "earliest", limit: 100, where: unsure });
  assert.equal(brief(page?.entries ?? []), "m2 m4 m5");
  assert.deepEqual([page?.next, page?.end], [5, false]);
});

test("a filter selects messages but keeps every gap, and its cursor moves past the messages it skips", () => {
  const journal = filled(10_000, { count: 20_000, bytes: 100 * 1024 * 1024 });
  journal.markAway(1, "");
  journal.markBack(2);
  const seen: string[] = [];
  let pages = 0;
  for (let after: Cursor | "earliest" = "earliest"; ; pages++) {
    const page = journal.read({ after, limit: 100, where: endsIn("000") });
    assert.ok(page);
    if (page.entries.length > 0) seen.push(brief(page.entries));
    after = at(page.next);
    if (page.end) break;
  }
  assert.equal(seen.join(" "), "m1000 m2000 m3000 m4000 m5000 m6000 m7000 m8000 m9000 m10000 [away ?]");
  assert.ok(pages > 2, "no page examines the whole journal at once");
});

test("a written cursor parses to itself, and other texts are rejected", () => {
  assert.deepEqual(parseCursor(cursorText({ epoch: "k3x9", seq: 12 })), { epoch: "k3x9", seq: 12 });
  for (const text of ["", "12", "-1", "k3x9-", "k3x9-1.5", "k3x9-1 ", "K3-1", "k3x9--1", "k-9999999999999999"]) {
    assert.equal(parseCursor(text), undefined, text);
  }
});

type Action =
  | { readonly do: "append"; readonly size: number }
  | { readonly do: "gap" }
  | { readonly do: "jump"; readonly skipped: number }
  | { readonly do: "read"; readonly limit: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("append" as const), size: fc.integer({ min: 0, max: 300 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "gap" } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("jump" as const), skipped: fc.nat({ max: 2 ** 30 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), limit: fc.integer({ min: 1, max: 7 }) }) },
);

test("a reader that follows its cursor gets every message once and in order, or counted in a gap", () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 120, size: "max" }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: ENTRY, max: 4_000 }),
      (actions, count, bytes) => {
        const journal = new Journal(EPOCH, { count, bytes });
        let appended = 0;
        let seen = 0;
        const gaps: number[] = [];
        let place: Cursor | "earliest" = "earliest";
        const take = (limit: number): boolean => {
          const page = read(journal, place, limit);
          assert.ok(page.entries.length <= Math.max(limit, 1));
          for (const entry of page.entries) {
            if (!("gap" in entry)) {
              const n = Number(String(entry.data).split(" ")[0]);
              seen = Number.isNaN(seen) ? n : seen + 1;
              assert.equal(n, seen, "the next message, and no other");
            } else if (entry.gap.reason === "overflow") {
              const readTo = place === "earliest" ? 0 : place.seq;
              assert.equal(
                entry.gap.dropped === null,
                gaps.some((seq) => seq > readTo && seq <= entry.seq),
              );
              seen += entry.gap.dropped ?? Number.NaN;
            }
          }
          place = at(page.next);
          return !page.end;
        };
        for (const step of actions) {
          if (step.do === "append") journal.append(`${++appended} ${"x".repeat(step.size)}`, "text", 0);
          else if (step.do === "read") take(step.limit);
          else if (step.do === "jump") {
            journal.jumpTo(journal.newest + 1 + step.skipped);
            journal.appendGap(0, { dropped: null, reason: "away" });
            gaps.push(journal.newest);
          } else {
            const before = journal.newest;
            journal.markAway(0, "");
            journal.markBack(0);
            if (journal.newest > before) gaps.push(journal.newest);
          }
          assert.ok(journal.size <= count);
          assert.ok(journal.bytes <= bytes || journal.size === 1);
        }
        while (take(3));
        assert.ok(seen === appended || Number.isNaN(seen));
      },
    ),
  );
});

/** Two messages, and two behind a gap whose number is a thousand further on. */
function jumped(bounds = roomy): Journal {
  const journal = filled(2, bounds);
  journal.jumpTo(1_003);
  journal.appendGap(3, { dropped: null, reason: "away" });
  for (const n of [4, 5]) journal.append(`m${n}`, "text", n);
  return journal;
}

test("numbers that are skipped leave the entries before them, and their cursors stand for the gap behind them", () => {
  const journal = jumped();
  assert.equal(journal.newest, 1_005);
  const page = read(journal, "earliest");
  assert.deepEqual([brief(page.entries), page.next, page.end], ["m1 m2 [away ?] m4 m5", 1_005, true]);
  assert.deepEqual(
    page.entries.map(({ seq }) => seq),
    [1, 2, 1_003, 1_004, 1_005],
  );
  for (const seq of [2, 3, 700, 1_002]) {
    const behind = read(journal, at(seq));
    assert.deepEqual([brief(behind.entries), behind.gone], ["[away ?] m4 m5", false], `${seq}`);
  }
  assert.deepEqual([read(journal, at(1), 1).next, read(journal, at(1_003), 1).next], [2, 1_004]);
  assert.equal(brief(read(journal, at(1_004)).entries), "m5");
  assert.equal(journal.read({ after: at(1_006), limit: 1 }), undefined);
});

test("skipped numbers do not count as messages, and no request has one", () => {
  const journal = jumped({ count: 3, bytes: roomy.bytes });
  assert.equal(brief(read(journal, at(1)).entries), "[overflow 1] [away ?] m4 m5");
  assert.equal(brief(read(journal, at(500)).entries), "[away ?] m4 m5");
  assert.deepEqual(
    [1, 2, 500, 1_003, 1_004, 1_006].map((seq) => journal.requestAt(seq)),
    ["dropped", "dropped", "dropped", "unknown", "plain", "unknown"],
  );
  assert.equal(jumped().requestAt(500), "unknown");
  journal.append("m6", "text", 6);
  for (const seq of [1, 2, 500]) assert.equal(brief(read(journal, at(seq)).entries), "[overflow ?] m4 m5 m6");
  journal.append("m7", "text", 7);
  const late = read(journal, at(1_003));
  assert.deepEqual([brief(late.entries), late.next], ["[overflow 1] m5 m6 m7", 1_007]);
  journal.resize(roomy);
  journal.append("m8", "text", 8);
  assert.equal(brief(read(journal, at(1_004)).entries), "m5 m6 m7 m8");
  journal.skipTo(2_000);
  journal.append("m9", "text", 9);
  const [gap, newest] = read(journal, at(1_008)).entries;
  assert.deepEqual([gap && "gap" in gap && [gap.seq, gap.gap.dropped], newest?.seq], [[1_999, null], 2_000]);
});

test("other bounds keep the newest entries, at their cursors, and a reader behind them gets the gap", () => {
  fc.assert(
    fc.property(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 40 }), (n, was, is) => {
      const journal = filled(n, { count: was, bytes: roomy.bytes });
      journal.resize({ count: is, bytes: roomy.bytes });
      const kept = Math.min(n, was, is);
      const numbers = Array.from({ length: kept }, (_, index) => `m${n - kept + 1 + index}`);
      const gap = n > kept ? [`[overflow ${n - kept}]`] : [];
      assert.equal(brief(read(journal, "earliest").entries), [...gap, ...numbers].join(" "));
      for (let more = n + 1; more <= n + is; more++) journal.append(`m${more}`, "text", more);
      assert.equal(journal.size, is);
      assert.equal(brief(read(journal, at(n + is - 1)).entries), `m${n + is}`);
    }),
  );
});

test("a smaller bound of bytes keeps a message that is larger than it, alone", () => {
  const journal = filled(3);
  journal.resize({ count: 10, bytes: 1 });
  assert.equal(brief(read(journal, "earliest").entries), "[overflow 2] m3");
  assert.equal(journal.bytes, ENTRY + 2);
});
