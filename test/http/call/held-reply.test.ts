/** Kept replies of other replicas, asked for over a bus in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeKeptAnswer, decodeKeptQuestion, encodeKeptAnswer } from "../../../src/cluster/kept-messages.ts";
import type { KeptState } from "../../../src/core/kept-replies.ts";
import type { CallerOutcome, Failed, Outcome } from "../../../src/core/outcome.ts";
import type { Failure, SidesocketError } from "../../../src/errors.ts";
import { answersFor, askHolder, replyElsewhere } from "../../../src/http/call/held-reply.ts";
import { holderOf, ReplyKeeper } from "../../../src/http/reply-keeper.ts";
import { StopSignal } from "../../../src/http/stop-signal.ts";
import type { HolderAnswer } from "../../../src/sidecar/host/held-things.ts";
import { fakeUpstream } from "../fake-upstream.ts";

const HOLDER = `held-${"a".repeat(22)}-1`;
const bounds = { keep: 60_000, count: 10, bytes: 1_000_000 };
const reply: Outcome = { type: "reply", body: "ping", queueMs: 1, upstreamMs: 2 };
const timedOut: Failed = {
  type: "failed",
  failure: { code: "reply_timeout", sent: "maybe", detail: "no reply came in time" },
};

/** A replica that keeps a reply, one that asks it, and what it was asked. */
function replicas() {
  const keeper = new ReplyKeeper(bounds);
  const stopping = new StopSignal();
  const answer = answersFor(keeper, stopping);
  let settle: (outcome: CallerOutcome) => void = () => {};
  const outcome = new Promise<CallerOutcome>((resolve) => {
    settle = resolve;
  });
  const kept = keeper.keep({ upstream: "default", holder: HOLDER }, "alice", () => outcome);
  assert.ok(typeof kept !== "string");
  const asked: string[] = [];
  const held = {
    address: `held-${"b".repeat(22)}-1`,
    ask: async (address: string, bytes: Uint8Array, _: number, left: AbortSignal): Promise<HolderAnswer> => {
      asked.push(address);
      return answer(bytes, left);
    },
  };
  const signals = { left: new AbortController().signal, stopping: new StopSignal() };
  const ask = (owner: string, withinMs: number) => askHolder(held, HOLDER, { id: kept.id, owner, withinMs }, signals);
  return { kept, keeper, settle, asked, held, signals, stopping, ask };
}

const failureOf = (code: string, sent: string) => (error: unknown) => {
  const { failure } = error as SidesocketError;
  assert.deepEqual([failure.code, failure.sent], [code, sent]);
  return true;
};

test("an id names the replica that keeps the reply, and none without a cluster", () => {
  const { kept, keeper } = replicas();
  assert.equal(holderOf(kept.id), HOLDER);
  const alone = keeper.keep({ upstream: "default" }, "", async () => reply);
  assert.ok(typeof alone !== "string");
  assert.match(alone.id, /^[\w-]{43}$/);
  assert.equal(holderOf(alone.id), undefined);
  const secret = "a".repeat(43);
  for (const id of [
    `req-${secret}.${secret}`,
    `${HOLDER}.a`,
    `${HOLDER}.*`,
    "held-a.b",
    `${HOLDER}.${secret}.${secret}`,
  ])
    assert.equal(holderOf(id), undefined, id);
});

test("a reply is handed over as it is: pending, then with the body, to its caller alone", async () => {
  const { ask, asked, settle } = replicas();
  assert.deepEqual(await ask("alice", 0), { type: "kept", upstream: "default", state: { phase: "pending" } });
  const waiting = ask("alice", 10_000);
  settle(reply);
  assert.deepEqual(await waiting, { type: "kept", upstream: "default", state: { phase: "ended", outcome: reply } });
  await assert.rejects(ask("bob", 0), failureOf("not_found", "no"));
  assert.deepEqual(asked, [HOLDER, HOLDER, HOLDER]);
});

test("every state crosses", () => {
  const bytes = new Uint8Array([0, 255]);
  const states: readonly KeptState[] = [
    { phase: "pending" },
    { phase: "late", failed: timedOut },
    { phase: "ended", outcome: timedOut },
    { phase: "ended", outcome: { type: "done" } },
    { phase: "ended", outcome: { type: "reply", body: bytes, queueMs: 0, upstreamMs: 1 } },
    { phase: "dropped", sent: "yes" },
  ];
  for (const state of states) {
    const answer = { type: "kept", upstream: "default", state } as const;
    assert.deepEqual(decodeKeptAnswer(encodeKeptAnswer(answer)), answer);
  }
  const damaged = encodeKeptAnswer({ type: "kept", upstream: "default", state: { phase: "pending" } });
  assert.throws(() => decodeKeptAnswer(damaged.subarray(0, -1)), /malformed/);
});

test("a replica at whose address nobody is is gone, and one that cannot be asked may be asked again", async () => {
  const { held, kept, signals } = replicas();
  let times = 0;
  const ask = (answer: HolderAnswer) => {
    const to = {
      ...held,
      ask: async () => {
        times++;
        return answer;
      },
    };
    return askHolder(to, HOLDER, { id: kept.id, owner: "alice", withinMs: 100_000 }, signals);
  };
  await assert.rejects(ask("nobody"), failureOf("gone", "maybe"));
  assert.equal(times, 1);
  const began = performance.now();
  await assert.rejects(ask("apart"), failureOf("upstream_down", "maybe"));
  assert.ok(performance.now() - began < 10_000);
  assert.equal(times, 6);
  for (const answer of ["lost", "silent"] as const)
    await assert.rejects(ask(answer), failureOf("upstream_down", "maybe"));
  await assert.rejects(ask(new Uint8Array()), failureOf("upstream_down", "maybe"));
  await assert.rejects(ask("full"), failureOf("too_many_in_flight", "maybe"));
  assert.equal(times, 11);
});

test("one that is killed during a wait is asked for again, and found gone", async () => {
  const { held, kept, signals } = replicas();
  const waits: number[] = [];
  const ask = async (_: string, bytes: Uint8Array): Promise<HolderAnswer> => {
    const { withinMs } = decodeKeptQuestion(bytes);
    waits.push(withinMs);
    return withinMs > 0 ? "silent" : "nobody";
  };
  const question = { id: kept.id, owner: "alice", withinMs: 1_000 };
  await assert.rejects(askHolder({ ...held, ask }, HOLDER, question, signals), failureOf("gone", "maybe"));
  assert.ok((waits[0] ?? 0) > 0);
  assert.deepEqual(waits.slice(1), [0]);
});

test("the end of the wait, of the caller and of a replica end a question", async () => {
  const one = replicas();
  assert.deepEqual((await one.ask("alice", 60)).state, { phase: "pending" });

  const two = replicas();
  const ending = new AbortController();
  const held = {
    ...two.held,
    ask: (...[, , , left]: Parameters<typeof two.held.ask>) =>
      new Promise<HolderAnswer>((resolve) => left.addEventListener("abort", () => resolve("lost"))),
  };
  const question = { id: two.kept.id, owner: "alice", withinMs: 100_000 };
  const leaving = askHolder(held, HOLDER, question, { ...two.signals, left: ending.signal });
  ending.abort(new Error("left"));
  await assert.rejects(leaving, /left/);

  const three = replicas();
  const waiting = three.ask("alice", 100_000);
  three.signals.stopping.now();
  assert.deepEqual((await waiting).state, { phase: "pending" });
  assert.equal(three.asked.length, 2);
});

test("a replica asks only others, and only where they can be asked", async () => {
  const { keeper, kept, held, signals, asked } = replicas();
  const other = new ReplyKeeper(bounds);
  const upstreams = new Map([["default", fakeUpstream("default", { held })]]);
  const question = { id: kept.id, owner: "alice", withinMs: 0 };
  assert.equal(replyElsewhere({ keeper, upstreams }, question, signals), undefined);
  const alone = new Map([["default", fakeUpstream("default")]]);
  assert.equal(replyElsewhere({ keeper: other, upstreams: alone }, question, signals), undefined);
  const own = new Map([["default", fakeUpstream("default", { held: { ...held, address: HOLDER } })]]);
  assert.equal(replyElsewhere({ keeper: other, upstreams: own }, question, signals), undefined);
  assert.deepEqual((await replyElsewhere({ keeper: other, upstreams }, question, signals))?.state, {
    phase: "pending",
  });
  assert.deepEqual(asked, [HOLDER]);
  // It cannot ask at all now, or does not know the upstream yet: the reply may be there, and the message was sent.
  const failure: Failure = { code: "upstream_down", sent: "no", detail: "unusable" };
  const down = new Map([["default", { ...fakeUpstream("default", { held }), down: failure }]]);
  const unknown = new Map([["renamed", fakeUpstream("renamed", { held })]]);
  for (const upstreams of [down, unknown]) {
    const found = replyElsewhere({ keeper: other, upstreams }, question, signals);
    await assert.rejects(async () => found, failureOf("upstream_down", "maybe"));
  }
});
