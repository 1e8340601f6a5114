/** Tests of the turns in which replicas push, over a message server in memory. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { Cursor } from "../../../src/core/messages/journal.ts";
import type { FromThread } from "../../../src/sidecar/contract.ts";
import { SharedPush } from "../../../src/sidecar/thread/shared-push.ts";
import { type MemoryEngine, MemoryServer } from "../../support/memory-engine.ts";
import { type Cleanup, until } from "../../support/until.ts";

const KEY = "pushed.default";
const at = (seq: number): Cursor => ({ epoch: "e", seq });

class Replica {
  readonly push: SharedPush;
  readonly engine: MemoryEngine;
  readonly posted: FromThread[] = [];
  readonly reports: string[] = [];
  rests = 0;
  /** Added to the clock. */
  aheadMs = 0;
  #seq = 0;

  private constructor(t: Cleanup, server: MemoryServer) {
    const member = `m${server.members.size}`;
    this.engine = server.join(member);
    this.push = new SharedPush("default", member, this.engine, {
      now: () => performance.now() + this.aheadMs,
      work: (work, argument) => work(argument),
      post: (message) => this.posted.push(message),
      report: (text) => this.reports.push(text),
      onRest: () => this.rests++,
    });
    t.after(async () => this.push.end());
  }

  static async join(t: Cleanup, server: MemoryServer): Promise<Replica> {
    const replica = new Replica(t, server);
    await replica.engine.connect({ contact: () => {}, fault: () => {} });
    return replica;
  }

  /** The newest message about a turn. */
  get turn(): Extract<FromThread, { type: "pushing" }> | undefined {
    return this.posted.filter((message) => message.type === "pushing").at(-1);
  }

  /** Begins a turn. @returns the places in it */
  async begin(): Promise<Readonly<Record<string, Cursor>> | undefined> {
    this.push.permit(true);
    return (await until(() => this.turn?.places && this.turn, { what: "the turn" })).places;
  }

  pushed(webhook: string, place: Cursor): number {
    const seq = ++this.#seq;
    this.push.handle({ type: "pushed", upstream: "default", seq, webhook, place });
    return seq;
  }

  rested(turn: number): void {
    this.push.handle({ type: "rested", upstream: "default", turn });
  }

  async kept(seq: number): Promise<void> {
    const isKept = () => this.posted.some((message) => message.type === "kept" && message.seq >= seq);
    await until(isKept, { what: "the place in the record" });
  }
}

test("the next owner goes on where the former one was, which can change nothing any more", async (t) => {
  const server = new MemoryServer();
  const [one, two] = [await Replica.join(t, server), await Replica.join(t, server)];
  assert.deepEqual(await one.begin(), {});
  await one.kept(one.pushed("a", at(7)));
  const text = Buffer.from(server.valuesIn("meta").get(KEY)?.value ?? []).toString();
  assert.deepEqual(JSON.parse(text), { by: "m0", places: { a: "e-7" } });
  assert.deepEqual(await two.begin(), { a: at(7) });
  one.push.permit(false);
  // It was under way, and the record is not of its writer any more.
  await one.kept(one.pushed("a", at(8)));
  assert.match(Buffer.from(server.valuesIn("meta").get(KEY)?.value ?? []).toString(), /"by":"m1".*"e-7"/);
  await two.kept(two.pushed("a", at(9)));
  assert.match(Buffer.from(server.valuesIn("meta").get(KEY)?.value ?? []).toString(), /"by":"m1".*"e-9"/);
});

test("an owner that leaves waits for its push and for the record, within its time", async (t) => {
  const replica = await Replica.join(t, new MemoryServer());
  await replica.begin();
  assert.equal(replica.push.isAtRest, false);
  replica.push.leave();
  const settled = replica.push.settled(5_000);
  assert.ok(settled);
  const seq = replica.pushed("a", at(7));
  await replica.kept(seq);
  assert.equal(replica.push.isAtRest, false);
  replica.rested(1);
  await settled;
  assert.deepEqual([replica.push.isAtRest, replica.rests, replica.push.settled(5_000)], [true, 1, undefined]);
});

test("an owner that leaves does not wait for longer than its time, nor for a server that is gone", async (t) => {
  const server = new MemoryServer();
  const replica = await Replica.join(t, server);
  await replica.begin();
  server.stop();
  replica.push.leave();
  replica.rested(1);
  replica.pushed("a", at(7));
  await replica.push.settled(20);
  assert.ok(replica.push.settled(20), "it is not kept");
});

test("a turn that has begun again is not at rest by the end of the one before", async (t) => {
  const replica = await Replica.join(t, new MemoryServer());
  await replica.begin();
  replica.push.permit(false);
  replica.posted.length = 0;
  await replica.begin();
  replica.rested(1);
  assert.equal(replica.push.isAtRest, false);
  assert.equal(replica.rests, 0);
});

test("a record that cannot be read is told, and nothing is pushed", async (t) => {
  const server = new MemoryServer();
  server.write({ bucket: "meta", key: KEY, value: Buffer.from('{"by":"m9","places":{"a":"nowhere"}}') });
  const replica = await Replica.join(t, server);
  replica.push.permit(true);
  const { why } = await until(() => replica.turn, { what: "the fault" });
  assert.match(why ?? "", /^how far the webhooks have come cannot be read: .*not a cursor$/);
  assert.deepEqual(replica.reports, [], "it may pass");
  replica.aheadMs = 10_000;
  await until(() => replica.reports.length > 0, { what: "the report" });
  await until(() => replica.posted.length > 4, { what: "more attempts" });
  assert.deepEqual(replica.reports, [why]);
});
