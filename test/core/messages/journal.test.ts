import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Cursor,
  cursorText,
  Journal,
  type JournalEntry,
  type Page,
  parseCursor,
} from "../../../src/core/messages/journal.ts";

const EPOCH = "now";
const roomy = { count: 1_000, bytes: 1024 * 1024 };
/** What an entry counts besides its data. */
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

/** `m1 m2`, with gaps as `[overflow 3]` and `[away ?]`. */
function brief(entries: readonly JournalEntry[]): string {
  const words = entries.map((entry) =>
    "gap" in entry ? `[${entry.gap.reason} ${entry.gap.dropped ?? "?"}]` : String(entry.data),
  );
  return words.join(" ");
}

const at = (seq: number): Cursor => ({ epoch: EPOCH, seq });

test("a page begins after its cursor, has at most its limit, and says where the next one begins", () => {
  const journal = filled(5);
  const first = read(journal, "earliest", 2);
  assert.deepEqual([brief(first.entries), first.next, first.end], ["m1 m2", 2, false]);
  const second = read(journal, at(first.next), 3);
  assert.deepEqual([brief(second.entries), second.next, second.end], ["m3 m4 m5", 5, true]);
  const third = read(journal, at(second.next));
  assert.deepEqual([brief(third.entries), third.next, third.end], ["", 5, true]);
  assert.deepEqual([read(journal, "latest").entries, read(journal, "latest").next], [[], 5]);
});

test("over its count the oldest make way, and a reader is told exactly how many it missed", () => {
  const journal = filled(10, { count: 4, bytes: roomy.bytes });
  assert.equal(brief(read(journal, "earliest").entries), "[overflow 6] m7 m8 m9 m10");
  const behind = read(journal, at(2));
  assert.deepEqual([brief(behind.entries), behind.gone], ["[overflow 4] m7 m8 m9 m10", true]);
  const [gap] = behind.entries;
  assert.deepEqual(gap && "gap" in gap && [gap.gap.after, gap.gap.before, gap.seq], ["now-2", "now-7", 6]);
  assert.equal(read(journal, at(6)).gone, false, "nothing is missing between 6 and 7");
});

test("a text counts as its bytes, and comes out as it went in", () => {
  const journal = new Journal(EPOCH, roomy);
  const texts = ["\u65e5\u672c", "\u{1f642}", "", "x".repeat(20_000)];
  for (const text of texts) journal.append(text, "text", 1);
  assert.equal(journal.bytes, 4 * ENTRY + 6 + 4 + 20_000);
  assert.deepEqual(
    read(journal, "earliest").entries.map((entry) => "data" in entry && entry.data),
    texts,
  );
});

test("over its bytes the oldest make way, and one larger than the bound is kept alone", () => {
  const journal = new Journal(EPOCH, { count: 100, bytes: 3 * (ENTRY + 10) });
  for (let n = 1; n <= 5; n++) journal.append(`message ${n}.`, "text", n);
  assert.deepEqual([journal.size, journal.bytes], [3, 3 * (ENTRY + 10)]);
  journal.append("x".repeat(10_000), "text", 6);
  assert.deepEqual([journal.size, journal.bytes], [1, ENTRY + 10_000]);
  journal.append("small", "text", 7);
  assert.deepEqual([journal.size, journal.bytes], [1, ENTRY + 5]);
});

test("a page ends at a megabyte, and a message larger than that comes alone", () => {
  const journal = new Journal(EPOCH, { count: 10, bytes: 1024 ** 3 });
  const large = "x".repeat(3 * 1024 * 1024);
  for (const data of ["a", large, "b", "c"]) journal.append(data, "text", 1);
  const lengths: number[][] = [];
  for (let page = read(journal, "earliest"); page.entries.length > 0; page = read(journal, at(page.next))) {
    lengths.push(page.entries.map((entry) => ("data" in entry ? entry.data.length : 0)));
  }
  assert.deepEqual(lengths, [[1], [large.length], [1, 1]]);
});

test("a time away is a gap in its place, with its times and its reason; before the first connection there is none", () => {
  const journal = new Journal(EPOCH, roomy);
  journal.away(5, "never there");
  journal.append("m1", "text", 10);
  journal.away(20, "reset");
  journal.away(25, "refused");
  journal.back(30);
  journal.back(31);
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
  assert.equal(brief(read(journal, at(2)).entries), "m2", "its own cursor is behind it");
});

test("what stays away is told of at once, and again when it is over", () => {
  const journal = new Journal(EPOCH, roomy);
  journal.still(1, "not there yet");
  journal.append("m1", "text", 10);
  journal.away(20, "reset");
  journal.still(25, "refused");
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

test("a gap that made way takes its unknown number with it: what is missing is not said to be less", () => {
  const journal = new Journal(EPOCH, { count: 3, bytes: roomy.bytes });
  for (let n = 1; n <= 2; n++) journal.append(`m${n}`, "text", n);
  journal.away(2, "");
  for (let n = 3; n <= 7; n++) journal.append(`m${n}`, "text", n);
  // m1 m2 gap m3 m4 | m5 m6 m7
  assert.equal(brief(read(journal, "earliest").entries), "[overflow ?] m5 m6 m7");
  assert.equal(brief(read(journal, at(2)).entries), "[overflow ?] m5 m6 m7");
  assert.equal(brief(read(journal, at(3)).entries), "[overflow 2] m5 m6 m7");
  assert.equal(brief(read(journal, at(4)).entries), "[overflow 1] m5 m6 m7");
});

test("a cursor of another life is never taken for one of this", () => {
  const journal = new Journal(EPOCH, roomy, ["before"], 7);
  journal.append("m1", "text", 8);
  const crashed = read(journal, { epoch: "before", seq: 900 });
  assert.deepEqual([brief(crashed.entries), crashed.gone], ["[crashed ?] m1", false]);
  const foreign = read(journal, { epoch: "else", seq: 1 });
  assert.deepEqual([brief(foreign.entries), foreign.gone], ["[expired ?] [crashed ?] m1", true]);
  assert.equal(foreign.entries[0]?.at, 7, "as old as what comes after it");
  const empty = new Journal(EPOCH, roomy, [], 5);
  assert.deepEqual(read(empty, { epoch: "else", seq: 1 }).entries[0]?.at, 5);
  assert.equal(journal.read({ after: at(3), limit: 1 }), undefined, "ahead of all that there has been");
});

test("after a crash that was long ago the gap is still told, of what it is", () => {
  const journal = new Journal(EPOCH, { count: 2, bytes: roomy.bytes }, ["before"], 7);
  for (let n = 1; n <= 5; n++) journal.append(`m${n}`, "text", n);
  assert.equal(brief(read(journal, { epoch: "before", seq: 1 }).entries), "[crashed ?] m4 m5");
});

test("a filter gives what it wants and every gap, and its cursor goes on behind what it passed over", () => {
  const journal = filled(10_000, { count: 20_000, bytes: 100 * 1024 * 1024 });
  journal.away(1, "");
  journal.back(2);
  const seen: string[] = [];
  let pages = 0;
  for (let after: Cursor | "earliest" = "earliest"; ; pages++) {
    const page = journal.read({ after, limit: 100, where: ({ data }) => String(data).endsWith("000") });
    assert.ok(page);
    if (page.entries.length > 0) seen.push(brief(page.entries));
    after = at(page.next);
    if (page.end) break;
  }
  assert.equal(seen.join(" "), "m1000 m2000 m3000 m4000 m5000 m6000 m7000 m8000 m9000 m10000 [away ?]");
  assert.ok(pages > 2, "no page looks through all of it at once");
});

test("cursors are read as they are written, and nothing else is one", () => {
  assert.deepEqual(parseCursor(cursorText({ epoch: "k3x9", seq: 12 })), { epoch: "k3x9", seq: 12 });
  for (const text of ["", "12", "-1", "k3x9-", "k3x9-1.5", "k3x9-1 ", "K3-1", "k3x9--1", "k-9999999999999999"]) {
    assert.equal(parseCursor(text), undefined, text);
  }
});

type Action =
  | { readonly do: "append"; readonly size: number }
  | { readonly do: "gap" }
  | { readonly do: "read"; readonly limit: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("append" as const), size: fc.integer({ min: 0, max: 300 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "gap" } as const) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), limit: fc.integer({ min: 1, max: 7 }) }) },
);

test("whoever reads on from its cursor gets every message once and in order, or its number in a gap", () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 120, size: "max" }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: ENTRY, max: 4_000 }),
      (actions, count, bytes) => {
        const journal = new Journal(EPOCH, { count, bytes });
        let appended = 0;
        let told = 0;
        const gaps: number[] = [];
        let place: Cursor | "earliest" = "earliest";
        const take = (limit: number): boolean => {
          const page = read(journal, place, limit);
          assert.ok(page.entries.length <= Math.max(limit, 1));
          for (const entry of page.entries) {
            if (!("gap" in entry)) {
              const n = Number(String(entry.data).split(" ")[0]);
              told = Number.isNaN(told) ? n : told + 1;
              assert.equal(n, told, "the next one, and no other");
            } else if (entry.gap.reason === "overflow") {
              const seen = place === "earliest" ? 0 : place.seq;
              assert.equal(
                entry.gap.dropped === null,
                gaps.some((seq) => seq > seen && seq <= entry.seq),
              );
              told += entry.gap.dropped ?? Number.NaN;
            }
          }
          place = at(page.next);
          return !page.end;
        };
        for (const step of actions) {
          if (step.do === "append") journal.append(`${++appended} ${"x".repeat(step.size)}`, "text", 0);
          else if (step.do === "read") take(step.limit);
          else {
            const before = journal.newest;
            journal.away(0, "");
            journal.back(0);
            if (journal.newest > before) gaps.push(journal.newest);
          }
          assert.ok(journal.size <= count);
          assert.ok(journal.bytes <= bytes || journal.size === 1);
        }
        while (take(3));
        assert.ok(told === appended || Number.isNaN(told));
      },
    ),
  );
});
