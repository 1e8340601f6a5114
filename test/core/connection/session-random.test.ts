/** Property tests of the session under random sequences of events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { chance, type Move, move } from "./move.ts";
import { CHALLENGE, NO, OK, OTHER, SessionModel } from "./session-model.ts";

const disconnects = fc.constantFrom<Disconnect[]>(
  { reason: "network", detail: "ECONNREFUSED" },
  { reason: "status", status: 401 },
  { reason: "closed", code: 1006, text: "" },
  { reason: "closed", code: 1008, text: "" },
  { reason: "closed", code: 1013, text: "" },
  { reason: "status", status: 503, retryAfterMs: 86_400_000 },
  { reason: "timeout", withinMs: 10_000 },
);

const always = (name: string, run: Move<SessionModel>) => fc.constant(move(name, run));

/** Input from a connection that was replaced or never existed changes nothing. */
function stale(model: SessionModel, connection: number, disconnect: Disconnect): void {
  const before = model.session;
  for (const input of [
    { type: "opened", connection },
    { type: "dropped", connection, disconnect },
    { type: "frame", connection, frame: OK },
    { type: "pong", connection, proof: model.pinged ?? "" },
  ] as const) {
    assert.deepEqual(model.give(input), []);
  }
  assert.equal(model.session, before);
}

/** Any event. Events that are impossible at the moment are skipped. */
const anyMove: fc.Arbitrary<Move<SessionModel>> = fc.oneof(
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
    arbitrary: fc.tuple(fc.nat({ max: 2 }), disconnects).map(([which, disconnect]) =>
      move(`socket ${which} ends: ${disconnect.reason}`, (model: SessionModel) => {
        const connection = [...model.sockets.keys()][which];
        if (connection !== undefined) model.over(connection, disconnect);
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
  fc.boolean().map((anew) => move(`settings ${anew}`, (model: SessionModel) => model.give({ type: "settings", anew }))),
  always("renew", (model) => model.give({ type: "renew", detail: "test" })),
  fc
    .tuple(fc.constantFrom(-1, 1, 2, 9), disconnects)
    .map(([back, disconnect]) =>
      move(`stale ${back}`, (model: SessionModel) => stale(model, model.connection - back, disconnect)),
    ),
);

const moves = fc.array(fc.tuple(anyMove, chance), { maxLength: 120, size: "max" });

function play(model: SessionModel, all: readonly (readonly [Move<SessionModel>, number])[]): void {
  for (const [go, random] of all) {
    model.random = random;
    go(model);
  }
}

test("attempts never overlap, the one timer dies with its phase, and no connection number repeats", () => {
  // The model checks all of this after every step.
  fc.assert(
    fc.property(moves, (all) => {
      const model = new SessionModel();
      model.give({ type: "start" });
      play(model, all);
    }),
    { numRuns: 500 },
  );
});

test("a close prevents every further attempt and completes when the last socket is gone", () => {
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
          model.sockets.get(connection) === "closing" || model.destroyed.has(connection),
          `socket ${connection} is never closed`,
        );
        model.over(connection, { reason: "unclosed", withinMs: 0 });
      }
      assert.equal(model.phase, "closed");
    }),
    { numRuns: 300 },
  );
});
