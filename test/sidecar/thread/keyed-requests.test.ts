/** Tests of requests with an Idempotency-Key at the owners of an upstream, over a message server in memory. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ClaimRecords, type KeyedEnd } from "../../../src/cluster/claim-records.ts";
import { EngineError } from "../../../src/cluster/engine.ts";
import { failed } from "../../../src/core/exchange/failures.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import type { ErrorCode, Failure, Sent } from "../../../src/errors.ts";
import type { Body } from "../../../src/protocols/protocol.ts";
import type { CommandOf } from "../../../src/sidecar/contract.ts";
import { KeyedRequests } from "../../../src/sidecar/thread/keyed-requests.ts";
import { type MemoryEngine, MemoryServer } from "../../support/memory-engine.ts";
import { sideBySide } from "../../support/side-by-side.ts";
import { type Cleanup, until } from "../../support/until.ts";

type Message = CommandOf<"request" | "send">;

interface Told {
  readonly seq: number;
  readonly end: KeyedEnd;
  readonly how: "settled" | "replayed" | "late";
}

const test = sideBySide("requests with a key at the owners of an upstream");
const FAR_MS = 60_000;
const MOST = 4;
/** The bound on late outcomes that are waited for. */
const LATE_MAX = MOST + 1;

const removed: Failure = { code: "connection_lost", sent: "maybe", detail: "by a removal" };

/** An owner of the upstream, whose exchange is the test. */
class Owner {
  readonly keyed: KeyedRequests;
  readonly engine: MemoryEngine;
  readonly sent: Message[] = [];
  readonly told: Told[] = [];
  readonly held: Promise<void>[] = [];
  readonly released: number[] = [];
  mayWrite = true;
  /** Called when an asker was told, before the next one is. */
  onTold: (told: Told) => void = () => {};

  private constructor(t: Cleanup, engine: MemoryEngine, term: number, keepMs: number) {
    this.engine = engine;
    let attempts = 0;
    let numbers = 0;
    this.keyed = new KeyedRequests(
      new ClaimRecords(engine, "up"),
      keepMs,
      {
        now: () => performance.now(),
        work: (work, argument) => work(argument),
        claimant: {
          term,
          attempt: () => `${term}-${++attempts}`,
          wasReleased: (older) => this.released.includes(older),
        },
        draw: () => --numbers,
        mayWrite: () => this.mayWrite,
        send: (message) => this.sent.push(message),
        settle: (seq, end, isReplayed) => this.#tell({ seq, end, how: isReplayed ? "replayed" : "settled" }),
        late: (seq, end) => this.#tell({ seq, end, how: "late" }),
        hold: (write) => this.held.push(write),
        onLess: () => {},
      },
      LATE_MAX,
    );
    t.after(async () => this.keyed.end(removed));
  }

  #tell(told: Told): void {
    this.told.push(told);
    this.onTold(told);
  }

  static async join(t: Cleanup, server: MemoryServer, term: number, keepMs = FAR_MS): Promise<Owner> {
    const owner = new Owner(t, server.join(`m${term}`), term, keepMs);
    await owner.engine.connect({ contact: () => {}, fault: (error) => assert.fail(error) });
    return owner;
  }

  ask(seq: number, { digest = "d", key = "k", timeoutMs = FAR_MS, body = `body ${seq}` as Body } = {}): void {
    const deadline = performance.now() + timeoutMs;
    const rest = { type: "request", upstream: "up", kind: "request", body, deadline } as const;
    this.keyed.ask(seq, { id: key, digest }, { ...rest, seq, key: { id: key, digest } }, MOST);
  }

  /** Waits until so many messages were given to the exchange. @returns the last one's number */
  async given(count = 1): Promise<number> {
    await until(() => this.sent.length >= count, { what: () => `${count} messages; ${JSON.stringify(this.told)}` });
    assert.equal(this.sent.length, count);
    return this.sent.at(-1)?.seq ?? 0;
  }

  /** Waits until an asker was told, so many times. @returns what it was told last */
  async toldOf(seq: number, times = 1): Promise<Told> {
    const found = () => this.told.filter((each) => each.seq === seq);
    await until(() => found().length >= times, { what: () => `asker ${seq}: ${JSON.stringify(this.told)}` });
    const last = found().at(-1);
    assert.ok(last && found().length === times);
    return last;
  }
}

/** Waits until nothing holds a body. */
async function isLetGo(body: WeakRef<Uint8Array>): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const isGone = () => {
    collect();
    return body.deref() === undefined;
  };
  await until(isGone, { what: "the body to be let go" });
}

function reply(body: string | Uint8Array = "reply"): Outcome {
  return { type: "reply", body, queueMs: 1, upstreamMs: 2 };
}

function failure(code: ErrorCode, sent: Sent, more: Partial<Failure> = {}): Outcome {
  return failed({ code, sent, detail: "by the test", ...more }, undefined);
}

function codeOf({ end }: Told): readonly (string | undefined)[] {
  return end !== "not_owner" && end.type === "failed" ? [end.failure.code, end.failure.sent] : [];
}

async function two(t: Cleanup, keepMs?: number) {
  const server = new MemoryServer();
  return { server, one: await Owner.join(t, server, 1, keepMs), next: await Owner.join(t, server, 2) };
}

test("the reply to a key is the next owner's, too, who sends nothing", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  const number = await one.given();
  assert.deepEqual([one.sent[0]?.body, one.sent[0]?.key, one.keyed.has(number)], ["body 1", undefined, true]);
  one.ask(2);
  one.keyed.ended(number, reply());
  assert.deepEqual(await one.toldOf(1), { seq: 1, end: reply(), how: "settled" });
  assert.deepEqual(await one.toldOf(2), { seq: 2, end: reply(), how: "settled" });
  assert.equal(one.keyed.isOwing, false);
  next.ask(3);
  assert.deepEqual(await next.toldOf(3), { seq: 3, end: reply(), how: "replayed" });
  next.ask(4, { digest: "other" });
  assert.deepEqual(codeOf(await next.toldOf(4)), ["mismatch", "no"]);
  assert.equal(next.sent.length, 0);
});

test("keys of two upstreams are apart", async (t) => {
  const { server, one } = await two(t);
  const other = new ClaimRecords(one.engine, "other");
  one.ask(1);
  await one.given();
  assert.equal(await other.look("k", 1_000), undefined);
  assert.deepEqual([...server.valuesIn("claims").keys()], ["up.k"]);
});

test("a message that was not sent leaves its key free, and one that is another owner's is handed back", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  one.keyed.ended(await one.given(), failure("upstream_down", "no"));
  assert.deepEqual(codeOf(await one.toldOf(1)), ["upstream_down", "no"]);
  one.ask(2);
  one.keyed.ended(await one.given(2), "not_owner");
  assert.equal((await one.toldOf(2)).end, "not_owner");
  next.ask(3);
  next.keyed.ended(await next.given(), reply());
  assert.equal((await next.toldOf(3)).how, "settled");
});

test("the claim of an owner that is gone ends as replaced, and that of one that released is waited for", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  const number = await one.given();
  next.released.push(1);
  next.ask(2);
  next.ask(3, { timeoutMs: 60 });
  assert.deepEqual(codeOf(await next.toldOf(3)), ["reply_timeout", "maybe"]);
  one.keyed.ended(number, reply());
  assert.deepEqual((await next.toldOf(2)).end, reply());
  one.ask(4, { key: "l" });
  const second = await one.given(2);
  next.released.length = 0;
  next.ask(5, { key: "l" });
  assert.deepEqual(codeOf(await next.toldOf(5)), ["connection_lost", "maybe"]);
  one.keyed.ended(second, reply());
  assert.deepEqual(codeOf(await one.toldOf(4)), ["connection_lost", "maybe"], "there is one end");
  one.ask(6, { key: "l" });
  assert.deepEqual(codeOf(await one.toldOf(6)), ["connection_lost", "maybe"]);
  assert.equal(next.sent.length, 0);
});

test("a timeout is told at once, and the late reply is the end for all that ask again", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  const number = await one.given();
  one.ask(2);
  one.keyed.ended(number, failure("reply_timeout", "maybe"));
  assert.deepEqual(codeOf(await one.toldOf(1)), ["reply_timeout", "maybe"]);
  one.ask(3, { timeoutMs: 20 });
  const pending = await one.toldOf(3);
  assert.deepEqual(codeOf(pending), ["reply_timeout", "maybe"]);
  assert.ok(pending.end !== "not_owner" && pending.end.type === "failed" && pending.end.failure.final);
  one.keyed.ended(number, reply());
  assert.deepEqual(await one.toldOf(1, 2), { seq: 1, end: reply(), how: "late" });
  assert.deepEqual(await one.toldOf(2), { seq: 2, end: reply(), how: "settled" });
  next.ask(4);
  assert.deepEqual(await next.toldOf(4), { seq: 4, end: reply(), how: "replayed" });
  assert.equal(one.sent.length, 1);
});

test("the body of a message is not kept once it was sent", async (t) => {
  const { one } = await two(t);
  const ask = () => {
    const body = new Uint8Array(1_000);
    one.ask(1, { body });
    return new WeakRef(body);
  };
  const body = ask();
  const number = await one.given();
  one.sent.length = 0;
  await isLetGo(body);
  one.keyed.ended(number, reply());
  assert.deepEqual((await one.toldOf(1)).end, reply());
});

test("those that ask for one key have one body, which none has once it was sent", async (t) => {
  const { one } = await two(t);
  const ask = (seq: number, key = "k") => {
    const body = new Uint8Array(1_000);
    one.ask(seq, { body, key });
    return new WeakRef(body);
  };
  one.ask(1);
  const joined = ask(2);
  // The first leaves before its claim is won: another one's message is the same.
  one.keyed.abandon(1);
  const last = ask(3);
  const number = await one.given();
  assert.equal(one.sent[0]?.body, "body 1");
  await Promise.all([isLetGo(joined), isLetGo(last)]);
  one.keyed.ended(number, failure("reply_timeout", "maybe"));
  await one.toldOf(2);
  one.keyed.abandon(3);
  await isLetGo(ask(4));
  one.keyed.ended(number, reply());
  assert.deepEqual((await one.toldOf(4)).end, reply());
  one.ask(5, { key: "l", body: "another" });
  one.ask(6, { key: "l", digest: "of another", body: "wrong" });
  assert.deepEqual(codeOf(await one.toldOf(6)), ["mismatch", "no"]);
  const beside = ask(7, "l");
  await one.given(2);
  assert.equal(one.sent[1]?.body, "another");
  await isLetGo(beside);
});

test("one that asks again while others are still told of the end of a key has a body of its own", async (t) => {
  const { one } = await two(t);
  one.ask(1);
  one.ask(2);
  one.onTold = ({ seq }) => seq === 1 && one.ask(3);
  one.keyed.ended(await one.given(), failure("upstream_down", "no"));
  assert.deepEqual(codeOf(await one.toldOf(2)), ["upstream_down", "no"]);
  one.keyed.ended(await one.given(2), reply());
  assert.deepEqual([one.sent[1]?.body, (await one.toldOf(3)).end], ["body 3", reply()]);
});

test("a late reply that never comes ends the claim as the timeout", async (t) => {
  const { one, next } = await two(t, 60);
  one.ask(1);
  const number = await one.given();
  one.keyed.ended(number, failure("reply_timeout", "maybe"));
  const last = await one.toldOf(1, 2);
  assert.deepEqual([last.how, ...codeOf(last)], ["late", "reply_timeout", "maybe"]);
  assert.equal(one.keyed.has(number), false);
  next.ask(2);
  const { end } = await next.toldOf(2);
  assert.ok(end !== "not_owner" && end.type === "failed" && end.failure.final, "nothing follows");
  assert.equal(next.sent.length, 0);
});

test("a long reply lies beside its record, and only the reply can be lost", async (t) => {
  const { server, one, next } = await two(t);
  const ended = async (seq: number, key: string, outcome: Outcome) => {
    one.ask(seq, { key });
    one.keyed.ended(await one.given(seq), outcome);
    await one.toldOf(seq);
  };
  const long = reply(new Uint8Array(100_000).fill(7));
  await ended(1, "k", long);
  next.ask(2);
  assert.deepEqual((await next.toldOf(2)).end, long);
  assert.deepEqual([...server.valuesIn("kept").keys()], ["up.k"]);
  server.forget("kept", "up.k");
  next.ask(3);
  assert.deepEqual(codeOf(await next.toldOf(3)), ["gone", "yes"]);
  await ended(2, "l", reply("x".repeat(2 ** 20)));
  assert.deepEqual([...server.valuesIn("kept").keys()], []);
  next.ask(4, { key: "l" });
  assert.deepEqual(codeOf(await next.toldOf(4)), ["gone", "yes"]);
  await ended(3, "m", { type: "batch", items: [], done: 1 });
  next.ask(5, { key: "m" });
  assert.deepEqual((await next.toldOf(5)).end, { type: "batch", items: [], done: 1 });
  assert.equal(next.sent.length, 0);
});

test("a claim whose result is lost is found, and its message sent once", async (t) => {
  const { one } = await two(t);
  one.engine.loseResults();
  one.ask(1);
  one.keyed.ended(await one.given(), reply());
  assert.deepEqual((await one.toldOf(1)).end, reply());
});

test("a claim that is lost on its way leaves its key free, though its asker has left", async (t) => {
  const { server, one, next } = await two(t);
  next.released.push(1);
  one.engine.loseResults();
  one.ask(1);
  one.keyed.abandon(1);
  await Promise.all(one.held);
  await until(() => server.valuesIn("claims").size === 0, { what: "the claim to be given back" });
  next.ask(2);
  next.keyed.ended(await next.given(), reply());
  assert.deepEqual([(await next.toldOf(2)).end, one.sent], [reply(), []]);
});

test("a store that is not there has sent nothing, which is told at the deadline", async (t) => {
  const { server, one } = await two(t);
  server.stop();
  const began = performance.now();
  one.ask(1, { timeoutMs: 80 });
  assert.deepEqual(codeOf(await one.toldOf(1)), ["reply_timeout", "no"]);
  assert.ok(performance.now() - began >= 80);
  server.start();
  one.ask(2);
  one.keyed.ended(await one.given(), reply());
  assert.deepEqual((await one.toldOf(2)).end, reply());
});

test("a record that cannot be read keeps its message from being sent", async (t) => {
  const { server, one } = await two(t);
  server.write({ bucket: "claims", key: "up.k", value: new Uint8Array([9, 9]) });
  one.ask(1, { timeoutMs: 80 });
  assert.deepEqual(codeOf(await one.toldOf(1)), ["reply_timeout", "maybe"]);
  assert.equal(one.sent.length, 0);
});

test("a store with as many keys as it may have, and too many askers, are told at once", async (t) => {
  const owner = await Owner.join(t, new MemoryServer({ claimsMax: 1 }), 1);
  owner.ask(1);
  await owner.given();
  owner.ask(2, { key: "l" });
  assert.deepEqual(codeOf(await owner.toldOf(2)), ["too_many_in_flight", "no"]);
  for (const seq of [3, 4, 5]) owner.ask(seq);
  owner.ask(6);
  assert.deepEqual(codeOf(await owner.toldOf(6)), ["too_many_in_flight", "no"]);
  owner.keyed.abandon(3);
  owner.ask(7);
  assert.equal(owner.told.length, 2);
});

test("those that have timed out do not count as waiting, and beyond a bound the oldest is ended", async (t) => {
  const { one, next } = await two(t);
  const timeOut = (number: number) => one.keyed.ended(number, failure("reply_timeout", "maybe"));
  for (let seq = 1; seq <= LATE_MAX; seq++) {
    one.ask(seq, { key: `k${seq}` });
    timeOut(await one.given(seq));
    assert.deepEqual(codeOf(await one.toldOf(seq)), ["reply_timeout", "maybe"]);
  }
  assert.equal(one.keyed.isOwing, false);
  one.ask(100, { key: "l" });
  timeOut(await one.given(LATE_MAX + 1));
  const last = await one.toldOf(1, 2);
  assert.deepEqual([last.how, ...codeOf(last)], ["late", "reply_timeout", "maybe"]);
  assert.equal(one.told.filter(({ how }) => how === "late").length, 1);
  next.ask(1, { key: "k1" });
  assert.deepEqual(codeOf(await next.toldOf(1)), ["reply_timeout", "maybe"]);
});

test("a message goes on without its asker, and its end is stored", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  const number = await one.given();
  one.keyed.abandon(1);
  assert.equal(one.keyed.isOwing, false);
  one.keyed.ended(number, reply());
  assert.equal(one.keyed.isOwing, true, "the end is on its way to the store");
  assert.equal(one.held.length, 2);
  await Promise.all(one.held);
  next.ask(2);
  assert.deepEqual((await next.toldOf(2)).end, reply());
  assert.deepEqual(one.told, []);
});

test("a claim that returns after the ownership was lost is given back, and its asker sent on", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  one.mayWrite = false;
  assert.equal((await one.toldOf(1)).end, "not_owner");
  assert.deepEqual(one.sent, []);
  next.ask(2);
  next.keyed.ended(await next.given(), reply());
  assert.deepEqual(await next.toldOf(2), { seq: 2, end: reply(), how: "settled" });
});

test("an end that the store does not take is owed until it does", async (t) => {
  const { server, one, next } = await two(t);
  one.ask(1);
  const number = await one.given();
  one.keyed.abandon(1);
  server.stop();
  one.keyed.ended(number, reply());
  await Promise.all(one.held);
  assert.equal(one.keyed.isOwing, true, "it is offered again");
  server.start();
  await until(() => !one.keyed.isOwing, { what: "the end to be stored" });
  next.ask(2);
  assert.deepEqual(await next.toldOf(2), { seq: 2, end: reply(), how: "replayed" });
});

test("an upstream that is removed sends nothing more, and gives back what it was claiming", async (t) => {
  const { server, one } = await two(t);
  one.ask(1);
  one.keyed.end(removed);
  assert.deepEqual(one.told, [{ seq: 1, end: "not_owner", how: "settled" }], "the next owner may send it");
  await Promise.all(one.held);
  await until(() => one.held.length === 2, { what: "the claim to be given back" });
  await Promise.all(one.held);
  assert.deepEqual([one.sent, one.told.length, [...server.valuesIn("claims").keys()]], [[], 1, []]);
});

test("what an upstream had sent that is removed ends for those that ask the next owner", async (t) => {
  const { one, next } = await two(t);
  next.released.push(1);
  one.ask(1);
  await one.given();
  one.ask(3);
  one.keyed.end(removed);
  for (const seq of [1, 3]) assert.deepEqual(codeOf(await one.toldOf(seq)), ["connection_lost", "maybe"]);
  await Promise.all(one.held);
  next.ask(2);
  const told = await next.toldOf(2);
  assert.deepEqual([told.how, ...codeOf(told)], ["replayed", "connection_lost", "maybe"]);
  assert.deepEqual([one.told.length, next.sent], [2, []]);
});

test("those that wait for a late reply hear of a removal, and those that wait for another owner's claim", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  one.keyed.ended(await one.given(), failure("reply_timeout", "maybe"));
  await one.toldOf(1);
  next.released.push(1);
  next.ask(2);
  await until(() => next.held.length === 1, { what: "the claim" });
  await Promise.all(next.held);
  next.keyed.end(removed);
  assert.deepEqual(codeOf(await next.toldOf(2)), ["connection_lost", "maybe"]);
  one.keyed.end(removed);
  const last = await one.toldOf(1, 2);
  assert.deepEqual([last.how, ...codeOf(last)], ["late", "connection_lost", "maybe"]);
});

test("what a removal leaves is offered to a store that misses it until it takes it", async (t) => {
  const { server, one, next } = await two(t);
  next.released.push(1);
  one.ask(1, { key: "sent" });
  await one.given();
  one.ask(2, { key: "claimed" });
  const claim = one.engine.claim.bind(one.engine);
  // It takes new keys, and misses what follows.
  one.engine.claim = (made, withinMs) =>
    made.after === 0 ? claim(made, withinMs) : Promise.reject(new EngineError("missed", { mayBeDone: false }));
  one.keyed.end(removed);
  await until(() => one.held.length === 4, { what: "the claim to be given back" });
  await Promise.all(one.held);
  assert.equal(one.keyed.isOwing, true);
  one.engine.claim = claim;
  await until(() => !one.keyed.isOwing, { what: "the store to take both" });
  assert.deepEqual([...server.valuesIn("claims").keys()], ["up.sent"]);
  next.ask(3, { key: "sent" });
  assert.deepEqual(codeOf(await next.toldOf(3)), ["connection_lost", "maybe"]);
  next.ask(4, { key: "claimed" });
  next.keyed.ended(await next.given(), reply());
  assert.deepEqual((await next.toldOf(4)).end, reply());
});

test("the exit ends every asker, and what is known goes on to the store", async (t) => {
  const { one, next } = await two(t);
  one.ask(1);
  const first = await one.given();
  one.ask(2, { key: "l" });
  one.keyed.ended(await one.given(2), failure("reply_timeout", "maybe"));
  await one.toldOf(2);
  one.ask(3, { key: "l" });
  one.ask(5, { key: "m" });
  one.keyed.ended(first, failure("connection_lost", "maybe"));
  one.keyed.cancel({ code: "cancelled", sent: "maybe", detail: "by the test" });
  assert.deepEqual(codeOf(await one.toldOf(1)), ["cancelled", "maybe"]);
  assert.deepEqual([(await one.toldOf(2, 2)).how, (await one.toldOf(3)).how], ["late", "settled"]);
  assert.equal((await one.toldOf(5)).end, "not_owner");
  await Promise.all(one.held);
  next.ask(4);
  assert.deepEqual(codeOf(await next.toldOf(4)), ["connection_lost", "maybe"]);
});

test("a key that has timed out ends with the exit and with a removal, and the next owner does not wait", async (t) => {
  const { one, next } = await two(t);
  next.released.push(1);
  const timeOut = async (seq: number, key: string) => {
    one.ask(seq, { key });
    one.keyed.ended(await one.given(seq), failure("reply_timeout", "maybe"));
    await one.toldOf(seq);
  };
  const endOf = async (seq: number, key: string) => {
    await Promise.all(one.held);
    next.ask(seq, { key });
    const { how, end } = await next.toldOf(seq);
    assert.ok(end !== "not_owner" && end.type === "failed");
    return [how, end.failure.code, end.failure.sent, end.failure.final];
  };
  await timeOut(1, "k");
  one.keyed.cancel({ code: "cancelled", sent: "maybe", detail: "by the test" });
  assert.deepEqual(await endOf(3, "k"), ["replayed", "reply_timeout", "maybe", true]);
  await timeOut(2, "l");
  one.keyed.end(removed);
  assert.deepEqual(await endOf(4, "l"), ["replayed", "reply_timeout", "maybe", true]);
});
