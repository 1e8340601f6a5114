/** Property tests of an exchange that correlates by id. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RequestKind } from "../../../src/core/outcome.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { seeded, shuffle } from "../../support/random.ts";
import { type Move, move } from "../connection/move.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

/** Callers' ids, as written. Most of them equal each other, and some equal ours. */
const OWN_IDS = ['"a"', '"a"', "1", "1", '"1"', "1.0", "null", undefined];

class World {
  readonly model: ExchangeModel;
  readonly own = new Map<number, string | undefined>();
  /** How many frames from the upstream had an id, whether of a request or not. */
  replies = 0;

  constructor(lateness = 0) {
    this.model = new ExchangeModel(jsonRpc, { in_flight: 30 });
    this.model.lateness = lateness;
  }

  call(id: string | undefined, kind: RequestKind, within: number): void {
    const nonce = this.own.size + 1;
    const seq = this.model.call(echo(nonce, id), kind, within);
    assert.equal(seq, nonce);
    this.own.set(seq, id);
  }

  /** Replies to one of the newest frames, again or for the first time, over the connection that took it. */
  reply(which: number, make: (frame: string) => string = replyTo, off = 0): void {
    const requests = this.model.taken.filter(({ expectsReply }) => expectsReply);
    const taken = requests.at(-1 - which);
    if (taken) this.receive(make(String(taken.frame)), taken.connection + off);
  }

  receive(frame: string, connection = this.model.connection): void {
    this.replies++;
    this.model.frame(frame, connection);
  }

  /** Checks that every reply has the nonce of its own request, and the id as its caller wrote it. */
  check(): void {
    const { outcomes, exchange } = this.model;
    let unusable = 0;
    for (const [seq, outcome] of outcomes) {
      if (outcome.type === "failed" && outcome.failure.code === "invalid_reply") unusable++;
      if (outcome.type !== "reply") continue;
      const id = this.own.get(seq);
      const wanted = id === undefined ? "" : `,"id":${id}`;
      assert.equal(this.model.reply(seq), `{"jsonrpc":"2.0"${wanted},"result":${seq}}`);
    }
    const { replies, late, unclaimed } = exchange.counters;
    assert.equal(replies + late + unclaimed + unusable, this.replies, "every reply is counted once");
    assert.equal(exchange.counters.requests, this.own.size);
  }
}

/** The reply of `replyTo`, with its members in the order that lets the check above compare text. */
function plainReply(frame: string): string {
  const { id, params } = JSON.parse(frame);
  return `{"jsonrpc":"2.0","id":${id},"result":${params}}`;
}

const nonsense = (frame: string): string => `{"jsonrpc":"2.0","id":${JSON.parse(frame).id}}`;

const always = (name: string, run: Move<World>) => fc.constant(move(name, run));
const which = fc.nat({ max: 10 });

const anything: fc.Arbitrary<Move<World>> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...OWN_IDS),
        fc.constantFrom<RequestKind[]>("request", "request", "rpc", "send"),
        fc.integer({ min: 1, max: 20_000 }),
      )
      .map((all) => move(`call ${all.join(" ")}`, (world: World) => world.call(...all))),
  },
  { weight: 24, arbitrary: which.map((at) => move(`reply ${at}`, (world: World) => world.reply(at, plainReply))) },
  which.map((at) => move(`unusable ${at}`, (world: World) => world.reply(at, nonsense))),
  fc.tuple(which, fc.constantFrom(-1, 1)).map(([at, off]) =>
    move(`reply ${at} over another connection`, (world: World) => {
      const ended = world.model.outcomes.size;
      world.reply(at, plainReply, off);
      assert.equal(world.model.outcomes.size, ended, "a frame of another connection ended a request");
    }),
  ),
  fc
    .constantFrom(0, 999_999, 2 ** 40)
    .map((id) => move(`forge ${id}`, (world: World) => world.receive(`{"id":${id},"result":0}`))),
  fc.constantFrom('{"method":"tick"}', "nonsense", "[]", '{"id":"1","result":0}').map((frame) =>
    move(`receive ${frame}`, ({ model }: World) => {
      const before = model.messages.length;
      model.frame(frame);
      assert.equal(model.messages.length, before + 1);
    }),
  ),
  {
    weight: 8,
    arbitrary: fc.nat({ max: 4_000 }).map((ms) => move(`pass ${ms}`, ({ model }: World) => model.pass(ms))),
  },
  { weight: 8, arbitrary: always("connect", ({ model }) => (model.connected && model.takes) || model.connect()) },
  always("reconnect", ({ model }) => model.connect()),
  always("lose", ({ model }) => model.lose()),
  always("take nothing", ({ model }) => {
    model.takes = false;
  }),
  {
    weight: 3,
    arbitrary: which.map((at) =>
      move(`abandon ${at}`, ({ model }: World) => {
        const seq = model.open[at];
        if (seq !== undefined) model.abandon(seq);
      }),
    ),
  },
  { weight: 4, arbitrary: always("ping", ({ model }) => model.connected && model.ping()) },
  { weight: 4, arbitrary: always("pong", ({ model }) => model.pong()) },
);

const moves = fc.array(anything, { maxLength: 100, size: "max" });

function play(world: World, all: readonly Move<World>[]): void {
  for (const go of all) {
    go(world);
    assert.ok(world.model.exchange.inFlight <= 30);
  }
}

test("each request ends once, with its own reply or a true failure, whatever callers, upstream and network do", () => {
  fc.assert(
    fc.property(moves, fc.integer({ min: 0, max: 100 }), (all, lateness) => {
      const world = new World(lateness);
      play(world, all);
      world.model.pass(60_000);
      assert.deepEqual(world.model.open, []);
      world.check();
      const { exchange } = world.model;
      assert.deepEqual([exchange.inFlight, exchange.onTheWire, exchange.nextDeadline], [0, 0, undefined]);
    }),
    { numRuns: 500 },
  );
});

test("cancel ends all requests in flight at any moment, counts them by `sent`, and leaves no deadline", () => {
  fc.assert(
    fc.property(moves, (all) => {
      const world = new World();
      play(world, all);
      const { model } = world;
      const left = model.open;
      const { effects, counts } = model.exchange.cancel();
      model.carryOut(effects);
      const found = { no: 0, maybe: 0, yes: 0 };
      for (const seq of left) {
        const outcome = model.outcome(seq);
        assert.ok(outcome.type === "failed");
        assert.equal(outcome.failure.code, outcome.failure.sent === "no" ? "shutting_down" : "cancelled");
        found[outcome.failure.sent]++;
      }
      assert.deepEqual(found, counts);
      assert.deepEqual(model.open, []);
      const { inFlight, onTheWire, nextDeadline } = model.exchange;
      assert.deepEqual([inFlight, onTheWire, nextDeadline], [0, 0, undefined]);
      world.check();
    }),
    { numRuns: 300 },
  );
});

test("ten thousand replies in any order, some of them twice, reach each their own request", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 10_000 });
  model.connect();
  const nonces = Array.from({ length: 10_000 }, (_, at) => `nonce ${at + 1}`);
  for (const nonce of nonces) model.call(echo(nonce, '"same"'));
  const random = seeded(31);
  const again = model.taken.filter(() => random() < 0.1);
  for (const { frame } of shuffle([...model.taken, ...again], random)) model.frame(replyTo(frame));
  for (const [at, nonce] of nonces.entries()) {
    assert.deepEqual(JSON.parse(model.reply(at + 1)), { jsonrpc: "2.0", id: "same", result: nonce });
  }
  const { replies, unclaimed, late } = model.exchange.counters;
  assert.deepEqual([replies, unclaimed, late], [10_000, again.length, 0]);
});
