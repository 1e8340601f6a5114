/** Property tests of an exchange that correlates by order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TOMBSTONE_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import type { RequestKind } from "../../../src/core/outcome.ts";
import { text } from "../../../src/protocols/text.ts";
import { type Move, move } from "../connection/move.ts";
import { ExchangeModel, type Taken } from "./exchange-model.ts";

/**
 * Echoes every frame after a while and in order, as servers without ids do. It may reply to a request long after its
 * deadline. To a send it replies before its tombstone lapses or not at all: a later reply could be mistaken for that to
 * the next request. A superseded connection still delivers the replies that it owed.
 */
class EchoUpstream {
  readonly model = new ExchangeModel(text);
  /** Requests that have no reply yet. */
  readonly #owed = new Set<Taken>();
  readonly #busyUntil = new Map<number, number>();
  readonly #delays: () => number;

  constructor(delays: () => number, lateness: number) {
    const { model } = this;
    this.#delays = delays;
    model.lateness = lateness;
    model.onTaken = (taken) => this.#receive(taken);
    model.onRenew = () => this.#reconnect();
    model.connect();
  }

  lose(): void {
    this.model.lose();
    this.#reconnect();
  }

  /** As `lose`, after a while in which the socket takes nothing more. */
  end(): void {
    const { model } = this;
    const { connection } = model;
    model.takes = false;
    model.at(model.now + 500, () => model.connection === connection && this.lose());
  }

  #reconnect(): void {
    const { model } = this;
    const { connection } = model;
    model.at(model.now + (this.#delays() % 7_000), () => model.connection === connection && model.connect());
  }

  #receive(taken: Taken): void {
    const { model } = this;
    for (const { connection, seq } of this.#owed) {
      assert.notEqual(connection, taken.connection, `request ${taken.seq} is sent while ${seq} has no reply`);
    }
    if (taken.expectsReply) this.#owed.add(taken);
    else if (this.#delays() % 3 === 0) return;
    const delay = this.#delays() % (taken.expectsReply ? 20_000 : TOMBSTONE_MS);
    const at = Math.max(this.#busyUntil.get(taken.connection) ?? 0, model.now + delay);
    this.#busyUntil.set(taken.connection, at);
    model.at(at, () => {
      this.#owed.delete(taken);
      model.frame(taken.frame, taken.connection);
    });
  }
}

/** Makes a request with a unique body, so that a reply identifies it. */
const call = (kind: RequestKind, within: number) =>
  move(`${kind} within ${within}`, ({ model }: EchoUpstream) => {
    const body = `${kind} ${model.exchange.counters.requests + 1}`;
    model.call(body, kind, within);
  });

const within = fc.integer({ min: 1, max: 30_000 });

const anything: fc.Arbitrary<Move<EchoUpstream>> = fc.oneof(
  { weight: 16, arbitrary: within.map((ms) => call("request", ms)) },
  { weight: 5, arbitrary: within.map((ms) => call("send", ms)) },
  {
    weight: 3,
    arbitrary: fc.nat({ max: 5 }).map((at) =>
      move(`abandon ${at}`, ({ model }: EchoUpstream) => {
        const seq = model.open[at];
        if (seq !== undefined) model.abandon(seq);
      }),
    ),
  },
  {
    weight: 24,
    arbitrary: fc.nat({ max: 4_000 }).map((ms) => move(`pass ${ms}`, ({ model }: EchoUpstream) => model.pass(ms))),
  },
  fc.constant(move("lose", (upstream: EchoUpstream) => upstream.lose())),
  fc.constant(move("end", (upstream: EchoUpstream) => upstream.end())),
);

const numbers = fc.array(fc.oneof(fc.nat({ max: 500 }), fc.nat({ max: 20_000 })), {
  minLength: 1,
  maxLength: 50,
  size: "max",
});

/** Draws the same numbers in rounds. */
function draws(from: readonly number[]): () => number {
  let next = 0;
  return () => from[next++ % from.length] ?? 0;
}

test("replies never shift to another request under any delays, timeouts, losses and sends in between", () => {
  fc.assert(
    fc.property(
      fc.array(anything, { maxLength: 80, size: "max" }),
      numbers,
      fc.nat({ max: 200 }),
      (moves, delays, lateness) => {
        const upstream = new EchoUpstream(draws(delays), lateness);
        const { model } = upstream;
        for (const go of moves) go(upstream);
        model.pass(120_000);

        assert.deepEqual(model.open, []);
        for (const [seq, outcome] of model.outcomes) {
          if (outcome.type === "reply") assert.equal(outcome.body, `request ${seq}`);
          else if (outcome.type === "done") assert.ok(model.taken.some(({ frame }) => frame === `send ${seq}`));
        }
        const { inFlight, onTheWire, nextDeadline } = model.exchange;
        assert.deepEqual([inFlight, onTheWire, nextDeadline], [0, 0, undefined]);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("every request gets its reply from an upstream that replies in time, however many come at once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 50, size: "max" }), (waits) => {
      const upstream = new EchoUpstream(() => 30, 0);
      const { model } = upstream;
      for (const ms of waits) {
        call("request", 25_000)(upstream);
        model.pass(ms);
      }
      model.pass(25_000);
      assert.equal(model.exchange.counters.replies, waits.length);
      assert.equal(model.renewals, 0);
    }),
  );
});
