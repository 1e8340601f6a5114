/** Tests of the log that replicas share, over a message server in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError, Mistake, UNKNOWN_LIFE } from "../../../src/cluster/engine.ts";
import type { UpstreamSettings } from "../../../src/config/schema.ts";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import { ReadPlaces } from "../../../src/core/cluster/read-places.ts";
import { type JournalEntry, MAIN_JOURNAL, type Start } from "../../../src/core/messages/journal.ts";
import { type Tally, tallyCells, tallyIn } from "../../../src/core/tally.ts";
import type { FromThread, ReadCommand } from "../../../src/sidecar/contract.ts";
import { Journals } from "../../../src/sidecar/thread/journals.ts";
import { SharedLog } from "../../../src/sidecar/thread/shared-log.ts";
import { type MemoryEngine, MemoryServer } from "../../support/memory-engine.ts";
import { type Cleanup, delay, until } from "../../support/until.ts";

class Replica {
  readonly log: SharedLog;
  readonly journals: Journals;
  readonly engine: MemoryEngine;
  readonly tally: Tally = tallyIn(tallyCells());
  readonly reports: string[] = [];
  /** How far its clock is ahead, in milliseconds. */
  aheadMs = 0;
  readonly #pages = new Map<number, (message: FromThread) => void>();
  #seq = 0;

  private constructor(t: Cleanup, server: MemoryServer, settings: UpstreamSettings) {
    this.engine = server.join(`m${server.members.size}`);
    const settle = (message: FromThread) => "seq" in message && this.#pages.get(message.seq)?.(message);
    this.journals = new Journals("default", settings.messages, settle);
    this.log = new SharedLog("default", settings, this.engine, {
      now: () => performance.now() + this.aheadMs,
      work: (work, argument) => work(argument),
      tally: this.tally,
      readPlaces: new ReadPlaces(),
      report: (text) => this.reports.push(text),
      read: (command) => this.journals.read(command),
      unread: (seq) => this.#pages.get(seq)?.({ type: "settled", upstream: "", seq, outcome: { type: "done" } }),
      onRead: () => {},
    });
    this.log.attach(this.journals, () => {});
    this.log.open(MAIN_JOURNAL);
    t.after(async () => this.log.end());
  }

  /** @param prepare changes the engine before anything is read */
  static async join(
    t: Cleanup,
    server: MemoryServer,
    messages = { count: 100, bytes: "1MiB" },
    prepare: (engine: MemoryEngine) => void = () => {},
  ): Promise<Replica> {
    const replica = new Replica(t, server, upstreamSchema.parse({ url: "wss://example.org", messages }));
    prepare(replica.engine);
    await replica.engine.connect({ contact: () => {}, fault: (error) => replica.reports.push(error.message) });
    replica.log.start();
    return replica;
  }

  say(...texts: string[]): void {
    for (const text of texts) this.log.append(MAIN_JOURNAL, text, "text");
  }

  async read(after?: Start): Promise<readonly JournalEntry[]> {
    const message = await this.ask(after);
    assert.ok(message.type === "page" && typeof message.page !== "string", JSON.stringify(message));
    return message.page.entries;
  }

  async ask(after: Start = "earliest"): Promise<FromThread> {
    const seq = ++this.#seq;
    const command: ReadCommand = {
      type: "read",
      upstream: "default",
      seq,
      journal: MAIN_JOURNAL,
      after,
      limit: 1_000,
      where: [],
      wait: false,
    };
    return await new Promise<FromThread>((resolve) => {
      this.#pages.set(seq, resolve);
      this.log.read(command);
    });
  }

  /** Waits until the newest entry is this text. */
  async has(text: string): Promise<readonly JournalEntry[]> {
    const newest = async () => {
      const entries = await this.read();
      const last = entries.at(-1);
      return last && "data" in last && last.data === text ? { entries } : undefined;
    };
    return (await until(newest, { what: () => `${text}; ${this.reports.join()}` })).entries;
  }
}

function textsOf(entries: readonly JournalEntry[]): readonly unknown[] {
  return entries.map((entry) => ("gap" in entry ? `${entry.gap.reason} ${entry.gap.dropped}` : entry.data));
}

test("messages that come before the log has been read wait for it, and every replica has them", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(1);
  one.say("a", "b");
  assert.deepEqual(textsOf(await two.has("b")), ["a", "b"]);
  const three = await Replica.join(t, server);
  three.log.own(2);
  three.say("c");
  assert.deepEqual(textsOf(await one.has("c")), ["a", "b", "away null", "c"]);
  assert.deepEqual(await one.read(), await two.read());
});

test("a replica that starts reads many entries at a time, and passes over none that a server lacks", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  const texts = Array.from({ length: 90 }, (_, n) => String(n));
  for (const text of texts) {
    one.say(text);
    await one.has(text);
  }
  let [present, most] = [0, 0];
  const lacking = new Set([3, 20, 50, 51]);
  const two = await Replica.join(t, server, undefined, (engine) => {
    const next = engine.next.bind(engine);
    engine.next = async (log, after, withinMs) => {
      most = Math.max(most, ++present);
      const entry = await next(log, after, withinMs);
      present--;
      if (lacking.delete(after + 1)) return undefined;
      if (after === 40 && lacking.delete(-1)) throw new EngineError("lost", { mayBeDone: false });
      return entry;
    };
    lacking.add(-1);
  });
  assert.deepEqual(await two.has("89"), await one.read());
  assert.deepEqual([lacking.size, two.tally.holes], [0, 0]);
  assert.ok(most > 10, `${most} entries at a time`);
});

test("the next owner goes on behind one gap, and a late batch of the former one does not count", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(1);
  one.say("a");
  await two.has("a");
  two.log.own(2);
  two.say("b");
  await two.has("b");
  one.say("late");
  two.say("c");
  assert.deepEqual(textsOf(await one.has("c")), ["a", "away null", "b", "c"]);
  assert.deepEqual(await one.read(), await two.read());
});

test("what waits for the message server is bounded, and a gap says how much was dropped", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server, { count: 5, bytes: "1MiB" });
  const two = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await two.has("a");
  server.stop();
  for (let number = 0; number < 10; number++) one.say(String(number));
  server.start();
  // The first is on its way already.
  assert.deepEqual(textsOf(await two.has("9")), ["a", "0", "overflow 4", "5", "6", "7", "8", "9"]);
});

test("a log that is lost while replicas run goes on under another epoch", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(1);
  one.say("a");
  await two.has("a");
  const epoch = two.journals.epochOf(MAIN_JOURNAL) as string;
  server.stop({ isEmpty: true });
  server.start();
  await until(() => one.journals.epochOf(MAIN_JOURNAL) !== epoch && two.journals.epochOf(MAIN_JOURNAL) !== epoch, {
    what: "it",
  });
  one.say("b");
  await two.has("b");
  const [gap] = await two.read({ epoch, seq: 1 });
  assert.ok(gap && "gap" in gap && gap.gap.reason === "expired");
  assert.deepEqual(await one.read(), await two.read());
});

/** Lets a replica find the log without its newest entry. @returns a function that ends this */
function hideNewest({ engine }: Pick<Replica, "engine">): () => void {
  const openLog = engine.openLog.bind(engine);
  const next = engine.next.bind(engine);
  let end = Number.POSITIVE_INFINITY;
  engine.openLog = async (...args) => {
    const state = await openLog(...args);
    end = Math.min(end, state.last - 1);
    return { ...state, last: end };
  };
  engine.next = async (...args) => {
    const entry = await next(...args);
    return entry && entry.seq > end ? undefined : entry;
  };
  return () => {
    engine.openLog = openLog;
    engine.next = next;
  };
}

test("a server that lacks the newest entry for a moment does not end the epoch of the log", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(1);
  one.say("a");
  one.say("b");
  await two.has("b");
  const show = hideNewest(two);
  two.log.own(2);
  two.say("c");
  await delay(200);
  show();
  assert.deepEqual(textsOf(await two.has("c")), ["a", "b", "away null", "c"]);
  assert.deepEqual(await one.read(), await two.read());
});

test("a log whose life is another one is the same if it has what was read of it", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await one.has("a");
  const epoch = one.journals.epochOf(MAIN_JOURNAL);
  const { openLog, next } = one.engine;
  let lacks = 0;
  one.engine.openLog = async (...args) => ({ ...(await openLog.apply(one.engine, args)), life: "another" });
  // The server that is asked lags behind the one that leads.
  one.engine.next = async (...args) => (lacks++ < 3 ? undefined : next.apply(one.engine, args));
  void one.read({ epoch: "of another log", seq: 1 }).catch(() => {});
  await until(() => lacks > 3, { what: "comparisons" });
  one.say("b");
  assert.deepEqual(textsOf(await one.has("b")), ["a", "b"]);
  assert.equal(one.journals.epochOf(MAIN_JOURNAL), epoch);
});

test("a log of unknown life is compared by what was read of it", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server, undefined, (engine) => {
    const { openLog } = engine;
    engine.openLog = async (...args) => ({ ...(await openLog.apply(engine, args)), life: UNKNOWN_LIFE });
  });
  one.log.own(1);
  one.say("a");
  await one.has("a");
  const epoch = one.journals.epochOf(MAIN_JOURNAL);
  // It was made anew, and has grown: another entry is where the newest one was.
  const next = one.engine.next.bind(one.engine);
  one.engine.next = async (...args) => {
    const entry = await next(...args);
    if (entry) one.engine.next = next;
    return entry && { ...entry, entry: entry.entry.toReversed() };
  };
  void one.read({ epoch: "of another log", seq: 1 }).catch(() => {});
  await until(() => one.engine.next === next, { what: "a comparison" });
  one.say("b");
  await until(() => one.journals.epochOf(MAIN_JOURNAL) !== epoch, { what: "another epoch" });
});

test("a reader that is ahead of what a server says is the end waits for it", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await one.has("a");
  one.say("b");
  const [, newest] = await one.has("b");
  const epoch = one.journals.epochOf(MAIN_JOURNAL) as string;
  const shows: (() => void)[] = [];
  const two = await Replica.join(t, server, undefined, (engine) => shows.push(hideNewest({ engine })));
  await until(() => two.log.hasRead, { what: "the log" });
  const ahead = { epoch, seq: newest?.seq ?? 0 };
  const began = performance.now();
  const page = two.read(ahead);
  // It has compared the log for the reader, and found the same end.
  let compared = 0;
  const openLog = two.engine.openLog.bind(two.engine);
  two.engine.openLog = (...args) => {
    compared++;
    return openLog(...args);
  };
  await until(() => compared >= 3, { what: "comparisons" });
  for (const show of shows) show();
  assert.deepEqual(await page, []);
  assert.deepEqual(textsOf(await two.read({ ...ahead, seq: ahead.seq - 1 })), ["b"]);
  assert.ok(performance.now() - began > 300, `${compared} comparisons`);
});

/** Lets each comparison of a replica take two seconds of its clock. @returns how many there were since */
function hasten(replica: Replica): () => number {
  const openLog = replica.engine.openLog.bind(replica.engine);
  let compared = 0;
  replica.engine.openLog = (...args) => {
    compared++;
    replica.aheadMs += 2_000;
    return openLog(...args);
  };
  return () => compared;
}

test("a reader that is ahead of a log for good is told so, also if the log grows meanwhile", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await one.has("a");
  const epoch = one.journals.epochOf(MAIN_JOURNAL) as string;
  const two = await Replica.join(t, server);
  await two.has("a");
  const compared = hasten(two);
  const pageOf = (message: FromThread) => (message.type === "page" ? message.page : message.type);
  const ahead = two.ask({ epoch, seq: 9 });
  await until(() => compared() >= 3, { what: "comparisons" });
  const grown = compared();
  one.say("b");
  assert.equal(pageOf(await ahead), "ahead");
  assert.ok(compared() - grown >= 9, `${compared() - grown} comparisons since it grew`);
  const again = compared();
  assert.equal(pageOf(await two.ask({ epoch, seq: 8 })), "ahead");
  assert.ok(compared() - again <= 2, "it is known that nothing follows");
  one.say("c");
  await two.has("c");
  const late = two.ask({ epoch, seq: 4 });
  const waiting = compared();
  await until(() => compared() >= waiting + 2, { what: "comparisons for a reader of the log that has grown" });
  one.say("d");
  assert.deepEqual(pageOf(await late), { epoch, entries: [], next: 4, end: true, gone: false });
});

test("a log that lost its newest entry and has got another since goes on under another epoch", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(1);
  one.say("a");
  await two.has("a");
  const epoch = two.journals.epochOf(MAIN_JOURNAL);
  const show = hideNewest(two);
  two.log.own(2);
  await delay(100);
  show();
  const next = two.engine.next.bind(two.engine);
  two.engine.next = async (...args) => {
    two.engine.next = next;
    const entry = await next(...args);
    return entry && { ...entry, entry: entry.entry.toReversed() };
  };
  two.say("b");
  await two.has("b");
  assert.notEqual(two.journals.epochOf(MAIN_JOURNAL), epoch);
});

test("a log that lost its newest entries while no replica ran has a gap for whoever had read them", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  for (const text of ["a", "b", "c"]) {
    one.say(text);
    await one.has(text);
  }
  const epoch = one.journals.epochOf(MAIN_JOURNAL) as string;
  const after = { epoch, seq: one.journals.newestOf(MAIN_JOURNAL)?.seq ?? 0 };
  one.log.end();
  server.lose("default", 2);
  const two = await Replica.join(t, server);
  two.log.own(2);
  for (const text of ["d", "e", "f", "g"]) two.say(text);
  assert.deepEqual(textsOf(await two.has("g")), ["a", "away null", "d", "e", "f", "g"]);
  assert.equal(two.journals.epochOf(MAIN_JOURNAL), epoch, "cursors of what is there are good");
  assert.deepEqual(textsOf(await two.read(after)), ["away null", "d", "e", "f", "g"]);
});

test("an entry that cannot be read is passed over, and told", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await one.has("a");
  server.append("default", "x", new Uint8Array([9, 9]));
  one.say("b");
  await one.has("b");
  assert.match(one.reports.join(), /malformed: too short/);
  assert.equal(one.tally.holes, 0);
});

test("a term that is older than the log's is told, with its cure", async (t) => {
  const server = new MemoryServer();
  const [one, two] = await Promise.all([Replica.join(t, server), Replica.join(t, server)]);
  one.log.own(7);
  one.say("a");
  await two.has("a");
  two.log.own(2);
  two.say("b");
  await until(() => two.reports.some((each) => /newer terms .* delete its stream/.test(each)), { what: "a report" });
});

test("a log that cannot be made by a mistake is told once, and one whose server is away is not", async (t) => {
  const replica = await Replica.join(t, new MemoryServer());
  await until(() => replica.log.hasRead, { what: "the log" });
  let calls = 0;
  let error: Error = new EngineError("away", { mayBeDone: false });
  replica.engine.next = () => {
    calls++;
    return Promise.reject(error);
  };
  await until(() => calls >= 1, { what: "a reading" });
  error = new Mistake("no room");
  await until(() => calls >= 4, { what: "more of them" });
  assert.deepEqual(replica.reports, ["the cluster's log: no room"]);
});

test("an owner that ends tells how much may not have been stored", async (t) => {
  const server = new MemoryServer();
  const one = await Replica.join(t, server);
  one.log.own(1);
  one.say("a");
  await one.has("a");
  await one.log.flush(1_000);
  server.stop();
  one.say("b", "c");
  await one.log.flush(20);
  one.log.end();
  assert.deepEqual(one.reports, ["2 messages and gaps may not have been stored in the cluster's log"]);
});
