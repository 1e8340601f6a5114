import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { chance, type Move, move } from "./move.ts";
import { CHALLENGE, NO, OK, OTHER, SessionModel } from "./session-model.ts";

const drops = fc.constantFrom<Disconnect[]>(
  { reason: "network", detail: "ECONNREFUSED" },
  { reason: "status", status: 401 },
  { reason: "closed", code: 1006, text: "" },
  { reason: "closed", code: 1008, text: "" },
  { reason: "closed", code: 1013, text: "" },
  { reason: "status", status: 503, retryAfterMs: 86_400_000 },
  { reason: "timeout", withinMs: 10_000 },
);

const always = (name: string, run: Move<SessionModel>) => fc.constant(move(name, run));

/** A socket that was left behind, or never was, still talks. */
function stale(model: SessionModel, connection: number, drop: Disconnect): void {
  const before = model.session;
  for (const input of [
    { type: "opened", connection },
    { type: "dropped", connection, drop },
    { type: "frame", connection, frame: OK },
    { type: "pong", connection, proof: model.pinged ?? "" },
  ] as const) {
    assert.deepEqual(model.give(input), []);
  }
  assert.equal(model.session, before);
}

/** Things that a world may do. What is impossible at the moment is left out. */
const anything: fc.Arbitrary<Move<SessionModel>> = fc.oneof(
  always("start", (model) => model.give({ type: "start" })),
  { weight: 4, arbitrary: always("opened", (model) => model.phase === "connecting" && model.opened()) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(CHALLENGE, OK, OK, NO, OTHER).map((frame) =>
      move(`frame ${frame}`, (model: SessionModel) => {
        const socket = model.sockets.get(model.connection);
        if (socket === "open" || socket === "closing") model.frame(frame);
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat({ max: 2 }), drops).map(([which, drop]) =>
      move(`socket ${which} is over: ${drop.reason}`, (model: SessionModel) => {
        const connection = [...model.sockets.keys()][which];
        if (connection !== undefined) model.over(connection, drop);
      }),
    ),
  },
  { weight: 4, arbitrary: always("timer", (model) => model.timer !== undefined && model.fire()) },
  fc.boolean().map((right) =>
    move(`${right ? "right" : "wrong"} pong`, (model: SessionModel) => {
      if (model.pinged === undefined || !model.sockets.has(model.connection)) return;
      model.give({ type: "pong", connection: model.connection, proof: right ? model.pinged : "made up" });
    }),
  ),
  always("probe", (model) => model.give({ type: "probe" })),
  always("renew", (model) => model.give({ type: "renew", detail: "test" })),
  fc
    .tuple(fc.constantFrom(-1, 1, 2, 9), drops)
    .map(([back, drop]) => move(`stale ${back}`, (model: SessionModel) => stale(model, model.connection - back, drop))),
);

const moves = fc.array(fc.tuple(anything, chance), { maxLength: 120, size: "max" });

function play(model: SessionModel, all: readonly (readonly [Move<SessionModel>, number])[]): void {
  for (const [go, random] of all) {
    model.random = random;
    go(model);
  }
}

test("whatever happens: one attempt at a time, one timer, which dies with its phase, and every connection once", () => {
  // The model checks all of this with every step.
  fc.assert(
    fc.property(moves, (all) => {
      const model = new SessionModel();
      model.give({ type: "start" });
      play(model, all);
    }),
    { numRuns: 500 },
  );
});

test("after close nothing connects again, and the end comes when the last socket is gone", () => {
  fc.assert(
    fc.property(moves, moves, (before, after) => {
      const model = new SessionModel();
      play(model, before);
      model.give({ type: "close", withinMs: 2_000 });
      assert.ok(model.phase === "closing" || model.phase === "closed");
      play(model, after);
      model.give({ type: "close", withinMs: 0 });
      assert.equal(model.timer, undefined);
      for (const connection of [...model.sockets.keys()]) {
        assert.ok(
          model.sockets.get(connection) === "closing" || model.broken.has(connection),
          `nobody ends socket ${connection}`,
        );
        model.over(connection, { reason: "unclosed", withinMs: 0 });
      }
      assert.equal(model.phase, "closed");
    }),
    { numRuns: 300 },
  );
});
