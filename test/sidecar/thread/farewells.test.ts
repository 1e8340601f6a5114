/** Tests of farewells: their steps, and the time that they may take. */
import assert from "node:assert/strict";
import { mock, type TestContext, test } from "node:test";
import type { FarewellStep } from "../../../src/protocols/preset.ts";
import { Farewells } from "../../../src/sidecar/thread/farewells.ts";

const CONNECTION = 7;
const CODE = 1001;

const bye = { send: "bye", expect: { match: { "/ok": true }, within: 100 } };
const gone = { send: "gone" };

/** Farewells of one connection, on a clock that stands still until `pass`. */
function started(t: TestContext) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let now = 0;
  const done: string[] = [];
  const farewells = new Farewells({
    now: () => now,
    work: (due, connection) => due(connection),
    valuesOf: () => new Map(),
    say: (_connection, frame) => done.push(`${now}: ${frame}`),
    close: (_connection, code, withinMs) => done.push(`${now}: close ${code} within ${withinMs}`),
  });
  return {
    farewells,
    done,
    begin: (withinMs: number, steps: readonly FarewellStep[] = [bye, gone]) =>
      farewells.begin(CONNECTION, steps, CODE, withinMs),
    pass(ms: number) {
      for (let each = 0; each < ms; each++) {
        now++;
        mock.timers.tick(1);
      }
    },
  };
}

test("the frame that a step expects brings the next one, and then the close frame", (t) => {
  const { farewells, done, begin, pass } = started(t);
  begin(1_000);
  pass(10);
  assert.equal(farewells.take(CONNECTION, `{"ok":false}`), false);
  assert.equal(farewells.take(CONNECTION + 1, `{"ok":true}`), false, "of another connection");
  assert.equal(farewells.has(CONNECTION), true);
  assert.equal(farewells.take(CONNECTION, `{"ok":true}`), true);
  assert.equal(farewells.has(CONNECTION), false);
  pass(1_000);
  assert.deepEqual(done, ["0: bye", "10: gone", "10: close 1001 within 990"]);
});

test("a step that is overdue is followed by the next", (t) => {
  const { done, begin, pass } = started(t);
  begin(1_000);
  pass(1_000);
  assert.deepEqual(done, ["0: bye", "100: gone", "100: close 1001 within 900"]);
});

test("half of the time for closing bounds all steps", (t) => {
  const { done, begin, pass } = started(t);
  begin(300, [bye, bye, gone]);
  pass(300);
  assert.deepEqual(done, ["0: bye", "100: bye", "150: gone", "150: close 1001 within 150"]);
});

test("a second begin with more time postpones nothing", (t) => {
  const { done, begin, pass } = started(t);
  begin(1_000);
  pass(50);
  begin(5_000);
  pass(1_000);
  assert.deepEqual(done, ["0: bye", "100: gone", "100: close 1001 within 900"]);
});

test("a second begin with less time shortens the step that waits, and the handshake", (t) => {
  const { done, begin, pass } = started(t);
  begin(1_000);
  pass(50);
  begin(40);
  pass(100);
  assert.deepEqual(done, ["0: bye", "70: gone", "70: close 1001 within 20"]);
});

test("a second begin without time closes at once", (t) => {
  const { farewells, done, begin, pass } = started(t);
  begin(1_000);
  pass(50);
  begin(0);
  pass(1_000);
  assert.deepEqual(done, ["0: bye", "50: close 1001 within 0"]);
  assert.equal(farewells.has(CONNECTION), false);
});

test("nothing is said without steps, without time, or once the connection is gone", (t) => {
  const { farewells, done, begin, pass } = started(t);
  begin(1_000, []);
  begin(0);
  assert.deepEqual(done.splice(0), ["0: close 1001 within 1000", "0: close 1001 within 0"]);
  begin(1_000);
  farewells.end(CONNECTION);
  assert.equal(farewells.take(CONNECTION, `{"ok":true}`), false);
  pass(1_000);
  assert.deepEqual(done, ["0: bye"]);
});
