/** Tests of journal readers on the host against the thread's journals, without a thread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type JournalEntry, MAIN_JOURNAL, type Page, type Start } from "../../../src/core/messages/journal.ts";
import type { FromThread, ToThread } from "../../../src/sidecar/contract.ts";
import { JournalPulls, type JournalSelection, type ReadEnd } from "../../../src/sidecar/host/journal-pulls.ts";
import { JournalReader, type PageConsumer } from "../../../src/sidecar/host/journal-reader.ts";
import { Journals } from "../../../src/sidecar/thread/journals.ts";
import { seeded } from "../../support/random.ts";
import { until } from "../../support/until.ts";

const everything: JournalSelection = { journal: MAIN_JOURNAL, where: [] };

/** The host's pulls and the thread's journals; each message arrives a turn later. */
class Sides {
  readonly crossed = { read: 0, cancelRead: 0, page: 0 };
  readonly pulls: JournalPulls;
  journals: Journals;
  #epochs = 0;

  constructor(bounds: { readonly count: number; readonly bytes: number }) {
    this.journals = this.#thread(bounds);
    this.pulls = new JournalPulls("default", (message) => setImmediate(() => this.#toThread(message)));
  }

  append(text: string): void {
    this.journals.append(MAIN_JOURNAL, text, "text");
  }

  /** Replaces the thread by a new one. */
  crash(bounds: { readonly count: number; readonly bytes: number }): void {
    this.journals = this.#thread(bounds);
    this.pulls.repost();
  }

  #thread(bounds: { readonly count: number; readonly bytes: number }): Journals {
    const journals: Journals = new Journals("default", bounds, (message) =>
      setImmediate(() => {
        if (this.journals === journals) this.#toHost(message);
      }),
    );
    const former = Array.from({ length: this.#epochs }, (_, n) => `epoch${n + 1}`);
    journals.open(MAIN_JOURNAL, { epoch: `epoch${++this.#epochs}`, former });
    return journals;
  }

  #toThread(message: ToThread): void {
    if (message.type === "read") {
      this.crossed.read++;
      this.journals.read(message);
    } else if (message.type === "cancelRead") {
      this.crossed.cancelRead++;
      this.journals.cancelRead(message.seq);
    }
  }

  #toHost(message: FromThread): void {
    if (message.type !== "page") return;
    this.crossed.page++;
    this.pulls.receive(message.seq, message.page);
  }
}

/** A consumer that records what it receives. */
class Reader {
  readonly seen: string[] = [];
  readonly gaps: string[] = [];
  ended: ReadEnd | undefined;
  wanting = true;
  readonly reader: JournalReader;

  constructor(pulls: JournalPulls, limit?: number, after: Start = "earliest") {
    const consumer: PageConsumer = {
      wants: () => this.wanting,
      page: ({ entries, gone }) => {
        assert.ok(!gone || "gap" in (entries[0] ?? {}), "a page after lost messages begins with their gap");
        assert.ok(entries.length > 0 && entries.length <= (limit ?? entries.length));
        for (const entry of entries) {
          if ("gap" in entry) this.gaps.push(`${entry.gap.reason} ${entry.gap.dropped ?? "?"}`);
          else this.seen.push(String(entry.data));
        }
      },
      end: (end) => {
        this.ended = end;
      },
    };
    this.reader = new JournalReader(pulls, everything, after, consumer, limit);
    this.reader.resume();
  }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);
const roomy = { count: 100_000, bytes: 1024 ** 3 };

/** The host side alone, with its posted pulls and pages made by hand. */
class Host {
  readonly posted: Extract<ToThread, { type: "read" }>[] = [];
  readonly pulls = new JournalPulls("default", (message) => {
    if (message.type === "read") this.posted.push(message);
  });

  /** The place after which the last pull reads, and its `wait`. */
  get last(): unknown {
    const { after, wait } = this.posted.at(-1) ?? assert.fail("no pull was posted");
    return [typeof after === "string" ? after : after.seq, wait];
  }

  /** Receives a page with the messages `from` to `to` for the pull `seq`. */
  receive(seq: number, from: number, to: number, more: Partial<Page> = {}): void {
    const entries = numbers(from, to).map((data): JournalEntry => ({ seq: Number(data), at: 0, kind: "text", data }));
    this.pulls.receive(seq, { epoch: "e", entries, next: to, end: true, gone: false, ...more });
  }
}

test("a reader takes no more of a shared page than its limit, and reads the rest by itself", () => {
  const host = new Host();
  const all = new Reader(host.pulls);
  host.receive(1, 1, 3);
  assert.deepEqual(host.last, [3, true]);
  const few = new Reader(host.pulls, 2);
  host.receive(3, 1, 2, { end: false });
  host.receive(4, 3, 3);
  assert.equal(host.posted.length, 4, "both share one pull");
  host.receive(2, 4, 6);
  assert.deepEqual([all.seen, few.seen], [numbers(1, 6), numbers(1, 5)]);
  assert.deepEqual(
    host.posted.slice(4).map(({ after, wait }) => [after, wait]),
    [
      [{ epoch: "e", seq: 5 }, false],
      [{ epoch: "e", seq: 6 }, true],
    ],
  );
});

test("a gap before a reader's place is not a gap for that reader", () => {
  const host = new Host();
  const first = new Reader(host.pulls);
  host.receive(1, 1, 3);
  const newest = new Reader(host.pulls, undefined, "latest");
  host.receive(3, 1, 0, { next: 5 });
  const gap = { after: "e-3", before: "e-5", dropped: 1, reason: "overflow" } as const;
  const entries = numbers(5, 6).map((data): JournalEntry => ({ seq: Number(data), at: 0, kind: "text", data }));
  host.receive(2, 1, 0, { entries: [{ seq: 4, at: 0, gap }, ...entries], next: 6, gone: true });
  assert.deepEqual([first.gaps, first.seen], [["overflow 1"], ["1", "2", "3", "5", "6"]]);
  assert.deepEqual([newest.gaps, newest.seen], [[], ["6"]]);
});

test("a reader behind the others does not join them, but reads on", () => {
  const host = new Host();
  const ahead = new Reader(host.pulls);
  host.receive(1, 1, 3);
  const behind = new Reader(host.pulls);
  host.receive(2, 4, 7);
  host.receive(3, 1, 5);
  assert.deepEqual(host.last, [5, false]);
  host.receive(5, 6, 7);
  assert.deepEqual([ahead.seen, behind.seen], [numbers(1, 7), numbers(1, 7)]);
});

test("a gap that counts from another reader's place is read again instead of reported", () => {
  const host = new Host();
  const first = new Reader(host.pulls);
  host.receive(1, 1, 3);
  const further = new Reader(host.pulls);
  host.receive(3, 1, 5);
  const gap: JournalEntry = { seq: 8, at: 0, gap: { after: "e-3", before: "e-9", dropped: 5, reason: "overflow" } };
  host.receive(2, 9, 9, { entries: [gap, { seq: 9, at: 0, kind: "text", data: "9" }] });
  assert.deepEqual([first.gaps, further.gaps, further.seen], [["overflow 5"], [], numbers(1, 5)]);
  assert.ok(host.posted.slice(3).some(({ after, wait }) => typeof after !== "string" && after.seq === 5 && !wait));
});

test("a reader that closes on its first page is not notified that it has caught up", () => {
  const host = new Host();
  const calls: string[] = [];
  const reader = new JournalReader(host.pulls, everything, "earliest", {
    wants: () => true,
    page: () => {
      calls.push("page");
      reader.close();
    },
    caughtUp: () => calls.push("caught up"),
    end: () => calls.push("end"),
  });
  reader.resume();
  host.receive(1, 1, 3);
  assert.deepEqual(calls, ["page"]);
});

test("messages that do not match advance a waiting reader's cursor, so that it never gets a gap for them", async () => {
  const sides = new Sides({ count: 20, bytes: 1024 ** 2 });
  const where = [{ pointer: "/wanted", value: "true" }];
  const seen: JournalEntry[] = [];
  const consumer: PageConsumer = { wants: () => true, page: ({ entries }) => seen.push(...entries), end: () => {} };
  const reader = new JournalReader(sides.pulls, { journal: MAIN_JOURNAL, where }, "earliest", consumer);
  reader.resume();
  await until(() => sides.crossed.read === 2, { what: "the pull that waits" });
  const append = (n: number, wanted: boolean) =>
    sides.journals.append(MAIN_JOURNAL, JSON.stringify({ n, wanted }), "json");
  for (let n = 1; n <= 1_000; n++) {
    append(n, false);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => typeof reader.place !== "string" && reader.place.seq > 980, {
    what: "a cursor within the journal",
  });
  assert.ok(sides.crossed.page <= 120, `${sides.crossed.page} pages without a match`);
  sides.crash({ count: 20, bytes: 1024 ** 2 });
  append(1_001, true);
  await until(() => seen.length === 2);
  assert.deepEqual(
    seen.map((entry) => ("gap" in entry ? entry.gap.reason : entry.data)),
    ["crashed", '{"n":1001,"wanted":true}'],
  );
});

test("a new thread receives the pending pulls, and no others", () => {
  const host = new Host();
  new Reader(host.pulls);
  host.receive(1, 1, 3);
  host.pulls.repost();
  assert.deepEqual(
    host.posted.map(({ seq }) => seq),
    [1, 2, 2],
  );
});

test("readers at the end of a journal share one pull, however many there are", async () => {
  const sides = new Sides(roomy);
  const readers = Array.from({ length: 50 }, () => new Reader(sides.pulls));
  await until(() => sides.crossed.read === 2, { what: "a pull to begin with, and one to wait" });
  for (let n = 1; n <= 10; n++) {
    sides.append(`${n}`);
    await until(() => readers.every(({ seen }) => seen.length === n));
  }
  assert.deepEqual(readers[0]?.seen, numbers(1, 10));
  assert.equal(sides.crossed.page, 1 + 10, "one page a turn for all readers");
  for (const { reader } of readers) reader.close();
  await until(() => sides.crossed.cancelRead === 1, { what: "the shared pull to be cancelled" });
  assert.equal(sides.pulls.readers, 0);
});

test("a reader that pauses gets no pages, catches up by itself, and then joins the others again", async () => {
  const sides = new Sides(roomy);
  const [slow, quick] = [new Reader(sides.pulls), new Reader(sides.pulls)];
  sides.append("1");
  await until(() => slow.seen.length === 1);
  slow.wanting = false;
  for (let n = 2; n <= 20; n++) {
    sides.append(`${n}`);
    await until(() => quick.seen.length === n);
  }
  assert.ok(slow.seen.length <= 2, "at most the page that was on its way");
  slow.wanting = true;
  slow.reader.resume();
  await until(() => slow.seen.length === 20);
  sides.append("21");
  await until(() => slow.seen.length === 21 && quick.seen.length === 21);
  assert.deepEqual(slow.seen, numbers(1, 21));
});

test("a reader that pauses for too long gets a gap with the exact number of messages", async () => {
  const sides = new Sides({ count: 10, bytes: 1024 ** 2 });
  const reader = new Reader(sides.pulls);
  sides.append("1");
  await until(() => reader.seen.length === 1);
  reader.wanting = false;
  sides.append("2");
  await until(() => reader.seen.length === 2);
  for (let n = 3; n <= 100; n++) sides.append(`${n}`);
  reader.wanting = true;
  reader.reader.resume();
  await until(() => reader.seen.at(-1) === "100");
  assert.deepEqual([reader.gaps, reader.seen], [["overflow 88"], ["1", "2", ...numbers(91, 100)]]);
});

test("a reader continues in a new thread's journal, after a gap", async () => {
  const sides = new Sides(roomy);
  const reader = new Reader(sides.pulls);
  sides.append("1");
  await until(() => reader.seen.length === 1);
  sides.crash(roomy);
  sides.append("2");
  await until(() => reader.seen.length === 2);
  assert.deepEqual([reader.seen, reader.gaps], [["1", "2"], ["crashed ?"]]);
});

test("removing a journal ends its readers, and ending the pulls ends all", async () => {
  const sides = new Sides(roomy);
  const first = new Reader(sides.pulls);
  await until(() => sides.crossed.read === 2);
  sides.journals.remove(MAIN_JOURNAL);
  await until(() => first.ended === "nowhere");
  sides.journals.open(MAIN_JOURNAL, { epoch: "again", former: [] });
  const second = new Reader(sides.pulls);
  assert.equal(sides.pulls.end("stopping"), 1);
  assert.equal(second.ended, "stopping");
  assert.equal(new Reader(sides.pulls).ended, "stopping");
  assert.equal(sides.pulls.readers, 0);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`readers that come and pause at random get every message once, or count it in a gap (${seed})`, async () => {
    const random = seeded(seed);
    const sides = new Sides({ count: 40, bytes: 1024 ** 2 });
    const readers: Reader[] = [];
    let appended = 0;
    for (let turn = 0; turn < 300; turn++) {
      if (readers.length < 12 && random() < 0.1) readers.push(new Reader(sides.pulls, random() < 0.5 ? 3 : undefined));
      for (const reader of readers) {
        if (random() < 0.1) reader.wanting = !reader.wanting;
        if (reader.wanting) reader.reader.resume();
      }
      for (let n = Math.floor(random() * 8); n > 0; n--) sides.append(`${++appended}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const reader of readers) {
      reader.wanting = true;
      reader.reader.resume();
    }
    sides.append(`${++appended}`);
    await until(() => readers.every(({ seen }) => seen.at(-1) === `${appended}`));
    for (const { seen, gaps } of readers) {
      const dropped = gaps.reduce((total, gap) => total + Number(gap.split(" ")[1]), 0);
      assert.equal(seen.length + dropped, appended, gaps.join(", "));
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => Number(a) - Number(b)),
      );
    }
  });
}
