/** The turns in which a replica pushes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cursor, Start } from "../../../src/core/messages/journal.ts";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { ToThread } from "../../../src/sidecar/contract.ts";
import { type Pusher, PushTurns } from "../../../src/sidecar/host/push-turns.ts";

const at = (seq: number): Cursor => ({ epoch: "e", seq });
const upstream = "default";

/** A pusher that notes what it is told. */
class NotingPusher implements Pusher {
  readonly notes: unknown[] = [];
  place: Start = "earliest";
  readonly resting = deferred<void>();

  push(from: Cursor | undefined): void {
    this.notes.push(["push", from?.seq]);
  }

  async rest(why: string | undefined): Promise<void> {
    this.notes.push(["rest", why]);
    await this.resting.promise;
  }

  stop(): void {
    this.notes.push(["stop"]);
  }
}

function start() {
  const posted: ToThread[] = [];
  const turns = new PushTurns(upstream, (message) => posted.push(message));
  const [a, b] = [new NotingPusher(), new NotingPusher()];
  turns.follow(
    new Map([
      ["a", a],
      ["b", b],
    ]),
  );
  return { posted, turns, a, b };
}

test("pushers begin at the places that the cluster has kept, and rest before that is told", async () => {
  const { posted, turns, a, b } = start();
  assert.deepEqual(a.notes, []);
  turns.receive({ type: "pushing", upstream, turn: 1, places: { a: at(5) } });
  assert.deepEqual([a.notes, b.notes], [[["push", 5]], [["push", undefined]]]);
  turns.pushed(a, at(6), 1);
  assert.deepEqual(posted.splice(0), [{ type: "pushed", upstream, seq: 1, webhook: "a", place: at(6) }]);
  turns.receive({ type: "pushing", upstream, turn: 1, why: "no server" });
  assert.deepEqual(a.notes.at(-1), ["rest", "no server"]);
  a.resting.resolve();
  await new Promise(setImmediate);
  turns.pushed(b, at(2), 1);
  b.resting.resolve();
  await new Promise(setImmediate);
  assert.deepEqual(posted, [
    { type: "pushed", upstream, seq: 2, webhook: "b", place: at(2) },
    { type: "rested", upstream, turn: 1 },
  ]);
});

test("nothing more is pushed while a thousand messages are not kept, until they are or the turn ends", async () => {
  const { turns, a, b } = start();
  turns.receive({ type: "pushing", upstream, turn: 1, places: {} });
  assert.equal(turns.pushed(a, at(999), 999), undefined);
  let kept = 0;
  const note = () => kept++;
  void turns.pushed(b, at(1), 1)?.then(note);
  void turns.pushed(a, at(1_000), 1)?.then(note);
  turns.kept(0);
  await new Promise(setImmediate);
  assert.equal(kept, 0);
  turns.kept(1);
  await new Promise(setImmediate);
  assert.equal(kept, 2);
  void turns.pushed(a, at(2_000), 1_000)?.then(note);
  turns.receive({ type: "pushing", upstream, turn: 1 });
  await new Promise(setImmediate);
  assert.equal(kept, 3);
});

test("a pusher that a reload adds begins at the place of its predecessor", () => {
  const { posted, turns, a, b } = start();
  turns.receive({ type: "pushing", upstream, turn: 1, places: {} });
  turns.pushed(a, at(6), 1);
  const next = new NotingPusher();
  b.place = at(3);
  posted.length = 0;
  turns.follow(
    new Map([
      ["a", next],
      ["c", b],
    ]),
  );
  assert.deepEqual(next.notes, [["push", 6]]);
  assert.deepEqual(posted, [{ type: "pushed", upstream, seq: 2, webhook: "c", place: at(3) }], "its id has changed");
  assert.equal(turns.pushed(a, at(7), 1), undefined);
  assert.equal(posted.length, 1, "what was replaced keeps nothing any more");
});

test("a thread that died ends the turn, and the service stops what is under way", () => {
  const { posted, turns, a } = start();
  turns.receive({ type: "pushing", upstream, turn: 1, places: {} });
  turns.crashed();
  assert.deepEqual(a.notes.at(-1), ["rest", undefined]);
  turns.stop();
  assert.deepEqual(a.notes.at(-1), ["stop"]);
  assert.deepEqual(posted, []);
});
