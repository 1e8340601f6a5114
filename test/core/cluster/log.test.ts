/** The log's writer and fold together: every replica has the same journals, whatever is lost, doubled or late. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LogBatch } from "../../../src/core/cluster/log-batch.ts";
import { type FoldEffect, LogFold } from "../../../src/core/cluster/log-fold.ts";
import { LOGGED_MAX, type LogAppend, LogWriter } from "../../../src/core/cluster/log-writer.ts";
import { Journal, type Start } from "../../../src/core/messages/journal.ts";

const BOUNDS = { count: 1_000, bytes: 1_000_000 };
const LIFE = { from: 100, at: 200, why: "its owner was replaced" };

/** A log that appends an id once, as the server does, and a replica that folds it. */
class Log {
  readonly entries: LogBatch[] = [];
  readonly #ids = new Set<string>();

  append({ id, batch }: LogAppend): number {
    if (!this.#ids.has(id)) this.entries.push(batch);
    this.#ids.add(id);
    return this.entries.length;
  }

  /** Reads on to the end. */
  foldInto(fold: LogFold): FoldEffect[] {
    const effects: FoldEffect[] = [];
    while (fold.position < this.entries.length) {
      const seq = fold.position + 1;
      effects.push(...fold.take(seq, this.entries[seq - 1] as LogBatch));
    }
    return effects;
  }
}

/** An owner that appends at once what its writer wants, and folds it. */
class Owner {
  readonly log: Log;
  readonly writer = new LogWriter(BOUNDS);
  readonly fold = new LogFold();
  now = 0;

  constructor(log: Log) {
    this.log = log;
  }

  /** @param at by the wall clock; before the time from which numbers are counted by default */
  begin(term: number, at = LIFE.at): this {
    this.settle(this.writer.begin(term, epochOf(this.fold, term), { ...LIFE, at }, this.now));
    return this;
  }

  settle(append: LogAppend | undefined): void {
    if (!append) return;
    this.log.append(append);
    for (const effect of this.log.foldInto(this.fold))
      if (effect.type === "life") this.settle(this.writer.reached(effect.epoch, this.fold.places, this.now));
    this.settle(this.writer.appended(append.id, this.now));
  }

  say(data: string, journal = ""): void {
    this.settle(this.writer.append(journal, 1_000, "text", data, this.now));
  }
}

function epochOf({ epoch }: LogFold, term: number): { epoch: string; isNew: boolean } {
  return { epoch: epoch ?? `e${term}`, isNew: epoch === undefined };
}

/** Entries as `journal/number: text`. */
function shown(effects: readonly FoldEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === "message") return [`${effect.journal}/${effect.number}: ${effect.data}`];
    if (effect.type === "gap")
      return [`${effect.journal}/${effect.number}: ${effect.gap.reason} ${effect.gap.dropped}`];
    return [];
  });
}

function foldOf(entries: readonly LogBatch[], from = 0): FoldEffect[] {
  const fold = new LogFold();
  return entries.flatMap((batch, at) => (at < from ? [] : fold.take(at + 1, batch)));
}

test("what an owner writes is numbered in each journal, and the next owner goes on behind a gap", () => {
  const log = new Log();
  const first = new Owner(log).begin(3);
  first.say("a");
  first.settle(first.writer.open("s", "s1", 0));
  first.say("b", "s");
  first.say("c");
  const second = new Owner(log);
  log.foldInto(second.fold);
  second.begin(5);
  second.say("d", "s");
  const entries = ["/1: a", "s/1: b", "/2: c", "/3: away null", "s/2: away null", "s/3: d"];
  assert.deepEqual(shown(foldOf(log.entries)), entries);
});

test("a batch of an older term than the newest is ignored", () => {
  const log = new Log();
  const zombie = new Owner(log).begin(3);
  zombie.say("a");
  const late = zombie.writer.append("", 1_000, "text", "late", 0) as LogAppend;
  const second = new Owner(log);
  log.foldInto(second.fold);
  second.begin(5);
  log.append(late);
  second.say("b");
  assert.deepEqual(shown(foldOf(log.entries)), ["/1: a", "/2: away null", "/3: b"]);
  assert.equal(second.fold.counts.ignored, 1);
});

test("a batch is sent again with its id after a second without acknowledgement, and nothing else meanwhile", () => {
  const { writer, log } = new Owner(new Log()).begin(1);
  const sent = writer.append("", 1, "text", "a", 1_000) as LogAppend;
  assert.equal(writer.append("", 1, "text", "b", 1_100), undefined);
  assert.equal(writer.wakeAt, 2_000);
  assert.equal(writer.tick(1_999), undefined);
  assert.equal(writer.tick(2_000), sent);
  assert.equal(writer.wakeAt, 3_000);
  log.append(sent);
  assert.deepEqual(writer.appended(sent.id, 2_100)?.batch.items.length, 1);
  assert.equal(writer.append("", 1, "text", "c", 2_200), undefined);
  assert.equal(writer.appended(sent.id, 2_300), undefined);
});

test("messages without room leave a gap that counts them", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  const sent = owner.writer.append("", 1, "text", "first", 0) as LogAppend;
  for (let n = 0; n < BOUNDS.count + 7; n++) owner.writer.append("", 1, "text", `${n}`, 0);
  owner.settle(sent);
  const entries = shown(foldOf(log.entries));
  assert.deepEqual(entries.slice(0, 3), ["/1: first", "/2: overflow 7", "/3: 7"]);
  assert.equal(entries.length, 2 + BOUNDS.count);
});

test("the reasons of gaps count in the room that they take, and no longer than they take it", () => {
  const writer = new LogWriter({ count: 1_000, bytes: 10_000 });
  writer.gather();
  const gap = () => writer.gap("", 0, { dropped: null, reason: "away", why: "x".repeat(900) }, 0);
  for (let n = 0; n < 100; n++) gap();
  assert.equal(writer.queued, 9);
  for (let n = 0; n < 100; n++) writer.append("", 0, "text", "y".repeat(900), 0);
  assert.equal(writer.queued, 9);
});

test("gaps without room leave one of unknown size, in front of what came later in their journal", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  owner.settle(owner.writer.open("s", "s1", 0));
  const sent = owner.writer.append("", 1, "text", "first", 0) as LogAppend;
  owner.writer.gap("", 1, { dropped: null, reason: "away" }, 0);
  for (let n = 0; n < BOUNDS.count; n++) owner.writer.append("s", 1, "text", `${n}`, 0);
  owner.writer.append("", 1, "text", "last", 0);
  owner.settle(sent);
  const entries = shown(foldOf(log.entries));
  assert.deepEqual(entries.slice(0, 3), ["/1: first", "s/1: overflow 1", "s/2: 1"]);
  assert.deepEqual(entries.slice(-2), ["/2: overflow null", "/3: last"]);
});

test("a batch has a bound, and a journal that is closed and opened again is in two", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  const opened = owner.writer.open("s", "s1", 0) as LogAppend;
  for (let n = 0; n < 9; n++) owner.writer.append("s", 1, "text", `${n}`.repeat(100_000), 0);
  owner.writer.close("s", 0);
  owner.writer.open("s", "s2", 0);
  owner.writer.open("s", "s3", 0);
  owner.writer.append("s", 1, "text", "a", 0);
  owner.settle(opened);
  assert.ok(log.entries.every(({ items }) => items.length <= 1));
  assert.deepEqual(shown(foldOf(log.entries)).slice(-2), [`s/9: ${"8".repeat(100_000)}`, "s/1: a"]);
  assert.equal(owner.fold.places.at(-1)?.epoch, "s2");
  // Somebody who missed that it was closed.
  const holed = log.entries.filter(({ closed }) => closed.length === 0);
  assert.deepEqual(shown(foldOf(holed)).slice(-1), ["s/1: a"]);
});

test("a log whose epoch has no beginning is read again once", () => {
  const log = new Log();
  const first = new Owner(log).begin(1);
  first.say("a");
  const second = new Owner(log).begin(2);
  second.say("b");
  const fold = new LogFold();
  const holed = log.entries.filter(({ term, life }) => term === 1 || !life);
  for (let reads = 0; fold.position < holed.length; reads++) {
    assert.ok(reads < 2 * holed.length, "it is read again and again");
    fold.take(fold.position + 1, holed[fold.position] as LogBatch);
  }
  assert.equal(fold.epoch, "e2");
});

test("an entry of a lost log that is appended again behind the next one's beginning is none of it", () => {
  const entry = (epoch: string, data: string, life?: LogBatch["life"]): LogBatch => {
    const journals = [{ name: "", epoch, next: 1 }];
    const items = life ? [] : [{ journal: "", at: 1, kind: "text" as const, data }];
    return { term: 7, epoch, journals, items, closed: [], ...(life && { life }) };
  };
  const fold = new LogFold();
  const life = { from: 0, at: 0, why: "", first: 1 };
  const log = [entry("new", "", life), entry("old", "again"), entry("new", "a"), entry("old", "and again")];
  const effects = log.flatMap((batch, at) => fold.take(at + 1, batch));
  assert.deepEqual([fold.epoch, fold.position, fold.counts.ignored], ["new", 4, 2]);
  assert.equal(effects.filter(({ type }) => type === "restart").length, 1);
});

test("two epochs that alternate are not read for ever", () => {
  const fold = new LogFold();
  const entry = (epoch: string, term: number): LogBatch => ({ term, epoch, journals: [], items: [], closed: [] });
  const log = [entry("a", 1), entry("b", 2), entry("a", 3), entry("b", 4)];
  for (let reads = 0; fold.position < log.length; reads++) {
    assert.ok(reads < 4 * log.length, "it is read again and again");
    fold.take(fold.position + 1, log[fold.position] as LogBatch);
  }
});

test("a message that is larger than an entry may be leaves a gap that says so", () => {
  const owner = new Owner(new Log()).begin(1);
  owner.say("x".repeat(LOGGED_MAX + 1));
  owner.say("x".repeat(LOGGED_MAX));
  const [gap, message] = foldOf(owner.log.entries).slice(-2);
  assert.ok(gap?.type === "gap" && gap.gap.why?.includes("larger than a log takes"));
  assert.ok(message?.type === "message");
});

test("a hole leaves a gap of unknown size", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  for (const text of ["a", "b", "c"]) owner.say(text);
  const holed = log.entries.filter(({ items }) => !items.some((item) => "data" in item && item.data === "b"));
  const fold = new LogFold();
  const effects = holed.flatMap((batch, at) => fold.take(at + 1, batch));
  assert.deepEqual(shown(effects), ["/1: a", "/2: overflow null", "/3: c"]);
  assert.equal(fold.counts.holes, 1);
});

test("a log that is shorter than what was folded is another one, and its epoch is not used again", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  owner.say("a");
  const { fold } = owner;
  assert.equal(fold.found("life", log.entries.length), false);
  assert.equal(fold.found("life", log.entries.length - 1), true);
  assert.equal(fold.position, 0);
  log.entries.pop();
  log.foldInto(fold);
  assert.equal(fold.epoch, undefined);
  owner.begin(2);
  owner.say("b");
  assert.equal(fold.epoch, "e2");
  assert.deepEqual(shown(foldOf(log.entries)), ["/1: b"]);
});

test("a log that is lost again before it was read, or after a new epoch was begun in it, uses no epoch again", () => {
  const log = new Log();
  const { fold } = new Owner(log).begin(1);
  const length = log.entries.length;
  assert.equal(fold.found("life", length - 1), true);
  assert.equal(fold.found("another", 0), true);
  log.foldInto(fold);
  assert.equal(fold.epoch, undefined);
  const next = new Owner(log);
  log.foldInto(next.fold);
  next.settle(next.writer.begin(2, { epoch: "e2", isNew: true }, LIFE, 0));
  log.foldInto(fold);
  assert.equal(fold.epoch, "e2");
  assert.equal(fold.found("another", length), true);
  log.entries.length = length;
  log.foldInto(fold);
  assert.equal(fold.epoch, undefined, "neither of the first");
});

test("a log of another life is read from its beginning", () => {
  const fold = new LogFold();
  assert.equal(fold.found("one", 0), false);
  assert.equal(fold.found("one", 5), false);
  assert.equal(fold.found("two", 5), true);
});

test("a closed journal that is opened again begins with another epoch", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  owner.settle(owner.writer.open("s", "s1", 0));
  owner.say("a", "s");
  owner.settle(owner.writer.close("s", 0));
  owner.say("nobody's", "s");
  owner.settle(owner.writer.open("s", "s2", 0));
  owner.say("b", "s");
  const effects = foldOf(log.entries);
  assert.deepEqual(shown(effects), ["s/1: a", "s/1: b"]);
  const opened = effects.flatMap((effect) => (effect.type === "open" ? [effect.place.epoch] : []));
  assert.deepEqual(opened, ["e1", "s1", "s2"]);
});

test("a replica that begins to read later knows silent journals, too", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  owner.settle(owner.writer.open("s", "s1", 0));
  owner.say("a", "s");
  for (let n = 0; n < 10; n++) owner.say("x".repeat(100_000));
  const fold = new LogFold();
  for (const [at, batch] of log.entries.entries()) if (at > 4) fold.take(at + 1, batch);
  assert.deepEqual(fold.places, owner.fold.places);
});

type Act =
  | { readonly type: "say"; readonly journal: string }
  | { readonly type: "open" | "close" }
  | { readonly type: "arrive" | "acknowledge" | "lose" | "tick" | "zombie" | "fold" | "replace" | "renew" };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("", "", "s").map((journal): Act => ({ type: "say", journal })) },
    { weight: 12, arbitrary: fc.constantFrom<Act>({ type: "arrive" }, { type: "acknowledge" }, { type: "fold" }) },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom("open", "close", "lose", "tick", "zombie", "replace", "renew")
        .map((type): Act => ({ type }) as Act),
    },
  ),
  { maxLength: 200 },
);

/** One owner after another on a network that loses, delays and doubles; `said` is what each journal should have. */
class LogWorld {
  readonly log: LogBatch[] = [];
  readonly fold = new LogFold();
  readonly effects: FoldEffect[] = [];
  readonly said = new Map<string, number[]>();
  #writer = new LogWriter({ count: 6, bytes: 100_000 });
  #onTheWay: LogAppend[] = [];
  #unacknowledged: string[] = [];
  /** Batches of former owners, and batches that were appended already: they may come again at any time. */
  #old: LogAppend[] = [];
  #term = 1;
  #now = 0;
  #count = 0;

  constructor() {
    this.#send(this.#writer.begin(1, { epoch: "e1", isNew: true }, LIFE, 0));
  }

  act(act: Act): void {
    this.#now += 10;
    switch (act.type) {
      case "say":
        this.#say(act.journal);
        break;
      case "open":
        this.#send(this.#writer.open("s", `s${++this.#count}`, this.#now));
        break;
      case "close":
        this.#send(this.#writer.close("s", this.#now));
        break;
      case "arrive":
        this.#arrive(this.#onTheWay.shift());
        break;
      case "acknowledge":
        this.#send(this.#writer.appended(this.#unacknowledged.shift() ?? "", this.#now));
        break;
      case "lose":
        this.#onTheWay.shift();
        break;
      case "tick":
        this.#now += 1_000;
        this.#send(this.#writer.tick(this.#now));
        break;
      case "zombie":
        this.#arrive(this.#old.shift());
        break;
      case "fold":
        this.readOn();
        break;
      case "renew":
        this.#writer.renew(++this.#term);
        break;
      case "replace":
        this.#replace();
    }
  }

  /** Until everything is appended. */
  settle(): void {
    for (let n = 0; n < 60; n++)
      for (const type of ["arrive", "fold", "acknowledge", "tick"] as const) this.act({ type });
  }

  readOn(): void {
    while (this.fold.position < this.log.length) {
      const seq = this.fold.position + 1;
      for (const effect of this.fold.take(seq, this.log[seq - 1] as LogBatch)) {
        this.effects.push(effect);
        if (effect.type === "life" && effect.term === this.#term)
          this.#send(this.#writer.reached(effect.epoch, this.fold.places, this.#now));
      }
    }
  }

  #say(journal: string): void {
    const number = ++this.#count;
    this.said.set(journal, [...(this.said.get(journal) ?? []), number]);
    this.#send(this.#writer.append(journal, this.#now, "text", `${number}`, this.#now));
  }

  #replace(): void {
    this.#old.push(...this.#onTheWay);
    this.#onTheWay = [];
    this.#unacknowledged = [];
    this.readOn();
    this.#writer = new LogWriter({ count: 6, bytes: 100_000 });
    this.#send(this.#writer.begin(++this.#term, epochOf(this.fold, this.#term), LIFE, this.#now));
  }

  #send(append: LogAppend | undefined): void {
    if (append) this.#onTheWay.push(append);
  }

  /** The second arrival of a batch is appended, too: it came after the time within which the server knows ids. */
  #arrive(append: LogAppend | undefined): void {
    if (!append) return;
    this.log.push(append.batch);
    this.#unacknowledged.push(append.id);
    if (this.#count % 3 === 0) this.#old.push(append);
  }
}

/** The journals that a replica makes of what it folds. */
function journalsOf(effects: readonly FoldEffect[]): Map<string, Journal> {
  const journals = new Map<string, Journal>();
  for (const effect of effects) {
    if (effect.type === "restart") journals.clear();
    else if (effect.type === "close") journals.delete(effect.journal);
    else if (effect.type === "open") {
      const journal = new Journal(effect.place.epoch, BOUNDS);
      if (effect.place.next > 1) journal.skipTo(effect.place.next);
      journals.set(effect.place.name, journal);
    } else if (effect.type !== "life") {
      const journal = journals.get(effect.journal);
      if (effect.type === "gap" && effect.isBehindSkipped) journal?.jumpTo(effect.number);
      else if (journal && effect.number > journal.newest + 1) journal.skipTo(effect.number);
      if (effect.type === "gap") journal?.appendGap(effect.at, effect.gap);
      else journal?.append(effect.data, effect.kind, effect.at);
      assert.equal(journal?.newest, effect.number);
    }
  }
  return journals;
}

test("what comes before a term begins follows its beginning, with the marks that its writer gave it", () => {
  const log = new Log();
  const owner = new Owner(log);
  assert.equal(owner.writer.append("", 1_000, "text", "dropped", 0), undefined);
  owner.writer.gather();
  assert.equal(owner.writer.append("", 1_000, "text", "a", 0, 7), undefined);
  assert.equal(owner.writer.unstored, 1);
  owner.begin(1);
  assert.equal(owner.writer.unstored, 0);
  const messages = foldOf(log.entries).filter((effect) => effect.type === "message");
  assert.deepEqual(
    messages.map(({ data, tag }) => [data, tag]),
    [["a", 7]],
  );
});

test("narrower bounds make room at once", () => {
  const owner = new Owner(new Log());
  owner.writer.gather();
  for (const text of ["a", "b", "c"]) owner.writer.append("", 1_000, "text", text, 0);
  owner.writer.resize({ count: 1, bytes: 1_000 });
  assert.equal(owner.writer.unstored, 1);
});

test("a cursor of one replica goes on at another, which may have begun to read later", () => {
  const log = new Log();
  const owner = new Owner(log).begin(1);
  for (const text of ["a", "b", "c"]) owner.say(text);
  const next = new Owner(log);
  log.foldInto(next.fold);
  next.begin(2);
  next.say("d");
  const cursor = { epoch: "e1", seq: 2 };
  const [early, late] = [0, 4].map((from) => journalsOf(foldOf(log.entries, from)).get(""));
  const page = early?.read({ after: cursor, limit: 9 });
  assert.deepEqual(
    page?.entries.map((entry) => ("gap" in entry ? entry.gap.reason : entry.data)),
    ["c", "away", "d"],
  );
  assert.deepEqual(late?.read({ after: cursor, limit: 9 }), page);
  const [gap] = late?.read({ after: { epoch: "e1", seq: 1 }, limit: 9 })?.entries ?? [];
  assert.ok(gap && "gap" in gap && gap.gap.dropped === null && gap.gap.reason === "overflow");
});

interface Numbered {
  readonly key: string;
  readonly epoch: string;
  readonly number: number;
  readonly text: string;
}

/** The entries of each journal's epoch, with their numbers. */
function numbered(effects: readonly FoldEffect[]): Numbered[] {
  const epochs = new Map<string, string>();
  return effects.flatMap((effect) => {
    if (effect.type === "open") epochs.set(effect.place.name, effect.place.epoch);
    if (effect.type !== "message" && effect.type !== "gap") return [];
    const epoch = `${effect.journal}:${epochs.get(effect.journal)}`;
    const text = effect.type === "message" ? String(effect.data) : "gap";
    return [{ key: `${epoch}-${effect.number}`, epoch, number: effect.number, text }];
  });
}

test("all replicas have the same entries under the same numbers, and a gap for each loss", () => {
  fc.assert(
    fc.property(acts, fc.nat(), (steps, cut) => {
      const world = new LogWorld();
      for (const step of steps) world.act(step);
      world.settle();
      assert.equal(world.fold.counts.holes, 0);
      const all = numbered(world.effects);
      assert.deepEqual(numbered(foldOf(world.log)), all);
      // Another that finds only the end of the log.
      journalsOf(world.effects);
      const texts = new Map(all.map(({ key, text }) => [key, text]));
      for (const { key, text } of numbered(foldOf(world.log, cut % (world.log.length + 1))))
        if (text !== "gap") assert.equal(text, texts.get(key), key);
      assertComplete(all, world.said.get("") ?? []);
    }),
    { numRuns: 500 },
  );
});

/** Numbers without a hole, messages in their order and once, and a gap where one is missing. */
function assertComplete(all: readonly Numbered[], said: readonly number[]): void {
  const last = all.findLast(({ epoch }) => epoch.startsWith(":"))?.epoch;
  const main = all.filter(({ epoch }) => epoch === last);
  assert.deepEqual(
    main.map(({ number }) => number),
    main.map((_, at) => at + 1),
  );
  let expected = 0;
  // A later epoch begins behind what is expired.
  let hasGap = last !== ":e1";
  for (const { text } of main) {
    if (text === "gap") {
      hasGap = true;
      continue;
    }
    const at = said.indexOf(Number(text));
    assert.ok(at >= expected, `${text} came twice or late`);
    if (at > expected) assert.ok(hasGap, `something before ${text} is missing without a gap`);
    expected = at + 1;
    hasGap = false;
  }
}

type Loss =
  | { readonly type: "say" | "replace" }
  | { readonly type: "lose"; readonly count: number }
  | { readonly type: "read"; readonly reader: number; readonly limit: number };

const losses: fc.Arbitrary<Loss[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Loss>({ type: "say" }) },
    { weight: 1, arbitrary: fc.constant<Loss>({ type: "replace" }) },
    {
      weight: 2,
      arbitrary: fc.record<Loss & { type: "lose" }>({ type: fc.constant("lose"), count: fc.nat({ max: 6 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record<Loss & { type: "read" }>({
        type: fc.constant("read"),
        reader: fc.nat({ max: 1 }),
        limit: fc.integer({ min: 1, max: 4 }),
      }),
    },
  ),
  { maxLength: 60 },
);

/** A reader who keeps a cursor, and asks whichever replica is there; from its first entry on it misses what is lost. */
class Reader {
  #after: Start = "earliest";
  #last: number | undefined;
  #hasGap = false;

  read(journal: Journal | undefined, limit: number): void {
    const page = journal?.read({ after: this.#after, limit });
    if (!page) return;
    this.#after = { epoch: page.epoch, seq: page.next };
    for (const entry of page.entries) {
      if ("gap" in entry) this.#hasGap = true;
      else this.#take(Number(entry.data));
    }
  }

  #take(number: number): void {
    const expected = (this.#last ?? number - 1) + 1;
    assert.ok(number >= expected, `${number} came twice`);
    if (number > expected) assert.ok(this.#hasGap, `something before ${number} is missing without a gap`);
    this.#last = number;
    this.#hasGap = false;
  }
}

test("a store that loses its newest entries, when all replicas have gone, leaves a gap for each reader", () => {
  fc.assert(
    fc.property(losses, (steps) => {
      const log = new Log();
      let term = 1;
      let said = 0;
      let now = Date.UTC(2026, 6);
      let owner = new Owner(log).begin(term, now);
      const readers = [new Reader(), new Reader()];
      const replace = () => {
        owner = new Owner(log);
        log.foldInto(owner.fold);
        // A hundred messages in each millisecond are fewer than a term may have.
        now += 1;
        owner.begin(++term, now);
      };
      const read = (reader: number, limit: number) =>
        readers[reader]?.read(journalsOf(foldOf(log.entries)).get(""), limit);
      for (const step of steps) {
        if (step.type === "say") owner.say(String(++said));
        else if (step.type === "read") read(step.reader, step.limit);
        else {
          if (step.type === "lose") log.entries.length = Math.max(0, log.entries.length - step.count);
          replace();
        }
      }
      owner.say(String(++said));
      for (const reader of [0, 1]) read(reader, 1_000);
    }),
    { numRuns: 500 },
  );
});

test("the numbers of a term begin at its time, but behind those that are there, and whatever its clock says", () => {
  const log = new Log();
  new Owner(log).begin(1).say("a");
  const begin = (term: number, at: number) => {
    const owner = new Owner(log);
    log.foldInto(owner.fold);
    owner.begin(term, at);
    owner.say(String(term));
  };
  const at = Date.UTC(2026) + 10;
  begin(2, at);
  begin(3, at - 5);
  begin(4, at + 10);
  begin(5, 8e15);
  begin(6, -8e15);
  const numbers = foldOf(log.entries).flatMap((effect) => (effect.type === "gap" ? [effect.number] : []));
  assert.deepEqual(numbers, [1_280, 1_282, 2_560, 2_562, 2_564]);
  const jumps = foldOf(log.entries).filter((effect) => effect.type === "gap" && effect.isBehindSkipped);
  assert.equal(jumps.length, 2);
});

test("a term begins another epoch before the numbers of a log run out", () => {
  const fold = new LogFold();
  const batch = (next: number): LogBatch => ({
    term: 1,
    epoch: "e",
    journals: [{ name: "", epoch: "e", next }],
    items: [],
    closed: [],
  });
  fold.take(1, batch(2 ** 47));
  assert.equal(fold.epoch, "e");
  fold.take(2, batch(2 ** 47 + 1));
  assert.equal(fold.epoch, undefined);
});
