/** Readers on the host, with the journal a thread's turn away: what the two sides say to each other, without a thread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalEntry, Page, Start } from "../../../src/core/messages/journal.ts";
import type { FromThread, ToThread } from "../../../src/sidecar/contract.ts";
import { JournalPulls, type JournalSelection, type ReadEnd } from "../../../src/sidecar/host/journal-pulls.ts";
import { JournalReader, type PageConsumer } from "../../../src/sidecar/host/journal-reader.ts";
import { Journals, MAIN } from "../../../src/sidecar/thread/journals.ts";
import { seeded } from "../../support/random.ts";
import { until } from "../../support/until.ts";

const feed: JournalSelection = { journal: MAIN, where: [] };

/** The two sides, each of whose messages arrives a turn later. */
class Sides {
  readonly crossed = { read: 0, unread: 0, page: 0 };
  readonly feeds: JournalPulls;
  journals: Journals;
  #lives = 0;

  constructor(bounds: { readonly count: number; readonly bytes: number }) {
    this.journals = this.#thread(bounds);
    this.feeds = new JournalPulls("default", (message) => setImmediate(() => this.#toThread(message)));
  }

  say(text: string): void {
    this.journals.append(MAIN, text, "text");
  }

  /** The thread dies, and another begins. */
  crash(bounds: { readonly count: number; readonly bytes: number }): void {
    this.journals = this.#thread(bounds);
    this.feeds.renew();
  }

  #thread(bounds: { readonly count: number; readonly bytes: number }): Journals {
    const journals: Journals = new Journals("default", bounds, (message) =>
      setImmediate(() => {
        if (this.journals === journals) this.#toHost(message);
      }),
    );
    const former = Array.from({ length: this.#lives }, (_, n) => `life${n + 1}`);
    journals.open(MAIN, { epoch: `life${++this.#lives}`, former });
    return journals;
  }

  #toThread(message: ToThread): void {
    if (message.type === "read") {
      this.crossed.read++;
      this.journals.read(message);
    } else if (message.type === "unread") {
      this.crossed.unread++;
      this.journals.unread(message.seq);
    }
  }

  #toHost(message: FromThread): void {
    if (message.type !== "page") return;
    this.crossed.page++;
    this.feeds.receive(message.seq, message.page);
  }
}

/** Keeps what it is told. */
class Reader {
  readonly seen: string[] = [];
  readonly gaps: string[] = [];
  ended: ReadEnd | undefined;
  wanting = true;
  readonly follower: JournalReader;

  constructor(feeds: JournalPulls, limit?: number, after: Start = "earliest") {
    const sink: PageConsumer = {
      wants: () => this.wanting,
      page: ({ entries, gone }) => {
        assert.ok(!gone || "gap" in (entries[0] ?? {}), "what is gone is told");
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
    this.follower = new JournalReader(feeds, feed, after, sink, limit);
    this.follower.resume();
  }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);
const roomy = { count: 100_000, bytes: 1024 ** 3 };

/** The host's side alone: pages are given by hand, and what is asked for is seen. */
class Host {
  readonly posted: Extract<ToThread, { type: "read" }>[] = [];
  readonly feeds = new JournalPulls("default", (message) => {
    if (message.type === "read") this.posted.push(message);
  });

  /** Where the last reading begins, and whether it waits. */
  get last(): unknown {
    const { after, wait } = this.posted.at(-1) ?? assert.fail("nothing was asked for");
    return [typeof after === "string" ? after : after.seq, wait];
  }

  /** Answers the pull of that number with the messages `from` to `to`. */
  give(seq: number, from: number, to: number, more: Partial<Page> = {}): void {
    const entries = numbers(from, to).map((data): JournalEntry => ({ seq: Number(data), at: 0, kind: "text", data }));
    this.feeds.receive(seq, { epoch: "e", entries, next: to, end: true, gone: false, ...more });
  }
}

test("of a shared page a reader takes no more than it asked for, and reads on by itself where it stopped", () => {
  const host = new Host();
  const all = new Reader(host.feeds);
  host.give(1, 1, 3);
  assert.deepEqual(host.last, [3, true]);
  const few = new Reader(host.feeds, 2);
  host.give(3, 1, 2, { end: false });
  host.give(4, 3, 3);
  assert.equal(host.posted.length, 4, "it is with the other one");
  host.give(2, 4, 6);
  assert.deepEqual([all.seen, few.seen], [numbers(1, 6), numbers(1, 5)]);
  assert.deepEqual(
    host.posted.slice(4).map(({ after, wait }) => [after, wait]),
    [
      [{ epoch: "e", seq: 5 }, false],
      [{ epoch: "e", seq: 6 }, true],
    ],
  );
});

test("what the others missed before a reader came is not gone for that reader", () => {
  const host = new Host();
  const first = new Reader(host.feeds);
  host.give(1, 1, 3);
  const late = new Reader(host.feeds, undefined, "latest");
  host.give(3, 1, 0, { next: 5 });
  const gap = { after: "e-3", before: "e-5", dropped: 1, reason: "overflow" } as const;
  const entries = numbers(5, 6).map((data): JournalEntry => ({ seq: Number(data), at: 0, kind: "text", data }));
  host.give(2, 1, 0, { entries: [{ seq: 4, at: 0, gap }, ...entries], next: 6, gone: true });
  assert.deepEqual([first.gaps, first.seen], [["overflow 1"], ["1", "2", "3", "5", "6"]]);
  assert.deepEqual([late.gaps, late.seen], [[], ["6"]]);
});

test("who is behind the others does not join them, but reads on", () => {
  const host = new Host();
  const ahead = new Reader(host.feeds);
  host.give(1, 1, 3);
  const behind = new Reader(host.feeds);
  host.give(2, 4, 7);
  host.give(3, 1, 5);
  assert.deepEqual(host.last, [5, false]);
  host.give(5, 6, 7);
  assert.deepEqual([ahead.seen, behind.seen], [numbers(1, 7), numbers(1, 7)]);
});

test("a gap that is counted from another reader's place is not told, but asked for", () => {
  const host = new Host();
  const first = new Reader(host.feeds);
  host.give(1, 1, 3);
  const further = new Reader(host.feeds);
  host.give(3, 1, 5);
  const gap: JournalEntry = { seq: 8, at: 0, gap: { after: "e-3", before: "e-9", dropped: 5, reason: "overflow" } };
  host.give(2, 9, 9, { entries: [gap, { seq: 9, at: 0, kind: "text", data: "9" }] });
  assert.deepEqual([first.gaps, further.gaps, further.seen], [["overflow 5"], [], numbers(1, 5)]);
  assert.ok(host.posted.slice(3).some(({ after, wait }) => typeof after !== "string" && after.seq === 5 && !wait));
});

test("whom the first page was enough for is not told that there is nothing more", () => {
  const host = new Host();
  const told: string[] = [];
  const follower = new JournalReader(host.feeds, feed, "earliest", {
    wants: () => true,
    page: () => {
      told.push("page");
      follower.close();
    },
    caughtUp: () => told.push("caught up"),
    end: () => told.push("end"),
  });
  follower.resume();
  host.give(1, 1, 3);
  assert.deepEqual(told, ["page"]);
});

test("what goes by unmatched moves a waiting reader's cursor on, so that it is never told of a gap in it", async () => {
  const sides = new Sides({ count: 20, bytes: 1024 ** 2 });
  const where = [{ pointer: "/wanted", value: "true" }];
  const seen: JournalEntry[] = [];
  const sink: PageConsumer = { wants: () => true, page: ({ entries }) => seen.push(...entries), end: () => {} };
  const follower = new JournalReader(sides.feeds, { journal: MAIN, where }, "earliest", sink);
  follower.resume();
  await until(() => sides.crossed.read === 2, { what: "the pull that waits" });
  const say = (n: number, wanted: boolean) => sides.journals.append(MAIN, JSON.stringify({ n, wanted }), "json");
  for (let n = 1; n <= 1_000; n++) {
    say(n, false);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => typeof follower.place !== "string" && follower.place.seq > 980, { what: "a cursor that is kept" });
  assert.ok(sides.crossed.page <= 120, `${sides.crossed.page} pages for nothing`);
  sides.crash({ count: 20, bytes: 1024 ** 2 });
  say(1_001, true);
  await until(() => seen.length === 2);
  assert.deepEqual(
    seen.map((entry) => ("gap" in entry ? entry.gap.reason : entry.data)),
    ["crashed", '{"n":1001,"wanted":true}'],
  );
});

test("a new thread is asked for what is not answered yet, and for nothing else", () => {
  const host = new Host();
  new Reader(host.feeds);
  host.give(1, 1, 3);
  host.feeds.renew();
  assert.deepEqual(
    host.posted.map(({ seq }) => seq),
    [1, 2, 2],
  );
});

test("readers at the end share one pull, however many they are", async () => {
  const sides = new Sides(roomy);
  const readers = Array.from({ length: 50 }, () => new Reader(sides.feeds));
  await until(() => sides.crossed.read === 51, { what: "every reader's own look, and one pull for all" });
  for (let n = 1; n <= 10; n++) {
    sides.say(`${n}`);
    await until(() => readers.every(({ seen }) => seen.length === n));
  }
  assert.deepEqual(readers[0]?.seen, numbers(1, 10));
  assert.equal(sides.crossed.page, 50 + 10, "one page per turn for all of them");
  for (const { follower } of readers) follower.close();
  await until(() => sides.crossed.unread === 1, { what: "the pull to be taken back" });
  assert.equal(sides.feeds.readers, 0);
});

test("whoever stops reading is passed over, reads on by itself when it wants, and is then with the others again", async () => {
  const sides = new Sides(roomy);
  const [slow, quick] = [new Reader(sides.feeds), new Reader(sides.feeds)];
  sides.say("1");
  await until(() => slow.seen.length === 1);
  slow.wanting = false;
  for (let n = 2; n <= 20; n++) {
    sides.say(`${n}`);
    await until(() => quick.seen.length === n);
  }
  assert.ok(slow.seen.length <= 2, "at most the page that was on its way");
  slow.wanting = true;
  slow.follower.resume();
  await until(() => slow.seen.length === 20);
  sides.say("21");
  await until(() => slow.seen.length === 21 && quick.seen.length === 21);
  assert.deepEqual(slow.seen, numbers(1, 21));
});

test("a reader that was passed by for too long gets the gap, exact to the message", async () => {
  const sides = new Sides({ count: 10, bytes: 1024 ** 2 });
  const reader = new Reader(sides.feeds);
  sides.say("1");
  await until(() => reader.seen.length === 1);
  reader.wanting = false;
  sides.say("2");
  await until(() => reader.seen.length === 2);
  for (let n = 3; n <= 100; n++) sides.say(`${n}`);
  reader.wanting = true;
  reader.follower.resume();
  await until(() => reader.seen.at(-1) === "100");
  assert.deepEqual([reader.gaps, reader.seen], [["overflow 88"], ["1", "2", ...numbers(91, 100)]]);
});

test("after the thread's death reading goes on in the new one's journal, with the gap between", async () => {
  const sides = new Sides(roomy);
  const reader = new Reader(sides.feeds);
  sides.say("1");
  await until(() => reader.seen.length === 1);
  sides.crash(roomy);
  sides.say("2");
  await until(() => reader.seen.length === 2);
  assert.deepEqual([reader.seen, reader.gaps], [["1", "2"], ["crashed ?"]]);
});

test("a journal that is removed, and an end of everything, are told to whoever reads", async () => {
  const sides = new Sides(roomy);
  const first = new Reader(sides.feeds);
  await until(() => sides.crossed.read === 2);
  sides.journals.remove(MAIN);
  await until(() => first.ended === "nowhere");
  sides.journals.open(MAIN, { epoch: "again", former: [] });
  const second = new Reader(sides.feeds);
  assert.equal(sides.feeds.end("stopping"), 1);
  assert.equal(second.ended, "stopping");
  assert.equal(new Reader(sides.feeds).ended, "stopping");
  assert.equal(sides.feeds.readers, 0);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`readers that come, pause and go on by chance all get every message once, or its number in a gap (${seed})`, async () => {
    const random = seeded(seed);
    const sides = new Sides({ count: 40, bytes: 1024 ** 2 });
    const readers: Reader[] = [];
    let said = 0;
    for (let turn = 0; turn < 300; turn++) {
      if (readers.length < 12 && random() < 0.1) readers.push(new Reader(sides.feeds, random() < 0.5 ? 3 : undefined));
      for (const reader of readers) {
        if (random() < 0.1) reader.wanting = !reader.wanting;
        if (reader.wanting) reader.follower.resume();
      }
      for (let n = Math.floor(random() * 8); n > 0; n--) sides.say(`${++said}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const reader of readers) {
      reader.wanting = true;
      reader.follower.resume();
    }
    sides.say(`${++said}`);
    await until(() => readers.every(({ seen }) => seen.at(-1) === `${said}`));
    for (const { seen, gaps } of readers) {
      const dropped = gaps.reduce((total, gap) => total + Number(gap.split(" ")[1]), 0);
      assert.equal(seen.length + dropped, said, gaps.join(", "));
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => Number(a) - Number(b)),
      );
    }
  });
}
