/** Questions of a host for what another one holds: what becomes of them where nobody is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskEvents } from "../../../src/cluster/engine.ts";
import type { FromThread } from "../../../src/sidecar/contract.ts";
import { HolderQuestions } from "../../../src/sidecar/thread/holder-questions.ts";

const HOST = "h".repeat(22);
const ADDRESS = `held-${HOST}-3`;

/** Questions over a bus whose every move is the test's. */
function scene() {
  const asks: { readonly address: string; readonly calls: AskEvents; isOver: boolean }[] = [];
  const waits: { readonly host: string; readonly then: (how: "heard" | "gone") => void; isOver: boolean }[] = [];
  const answers: unknown[] = [];
  const tally = { forwarded: 0 };
  const engine = {
    ask(address: string, _: Uint8Array, calls: AskEvents) {
      const ask = { address, calls, isOver: false };
      asks.push(ask);
      return {
        more() {},
        end() {
          ask.isOver = true;
        },
      };
    },
    answer: () => () => {},
  };
  const questions = new HolderQuestions("u", engine, {
    work: (work, ...args) => work(...args),
    post: (message: FromThread) => answers.push(message.type === "held" && message.answer),
    tally,
    awaitHost(host, then) {
      const wait = { host, then, isOver: false };
      waits.push(wait);
      return () => {
        wait.isOver = true;
      };
    },
  });
  questions.handle({ type: "askHolder", upstream: "u", seq: 1, address: ADDRESS, question: new ArrayBuffer(1) });
  return { questions, asks, waits, answers, tally };
}

test("where nobody is, a host that is silent is gone", () => {
  const { asks, waits, answers } = scene();
  asks[0]?.calls.nobody();
  assert.deepEqual(answers, []);
  assert.equal(waits[0]?.host, HOST);
  waits[0]?.then("gone");
  assert.deepEqual([answers, asks.length], [["nobody"], 1]);
});

test("a host that is heard is asked again, and answers, or holds it no more", () => {
  for (const isThere of [true, false]) {
    const { asks, waits, answers, tally } = scene();
    asks[0]?.calls.nobody();
    waits[0]?.then("heard");
    assert.deepEqual([answers, asks.length, asks[1]?.address], [[], 2, ADDRESS]);
    if (isThere) asks[1]?.calls.answer(new Uint8Array([7]), true);
    else asks[1]?.calls.nobody();
    assert.deepEqual(answers, isThere ? [new Uint8Array([7]).buffer] : ["nobody"]);
    assert.deepEqual([waits.length, tally.forwarded], [1, 1]);
  }
});

test("who leaves waits for nothing more", () => {
  const { questions, asks, waits, answers } = scene();
  asks[0]?.calls.nobody();
  questions.handle({ type: "leaveHolder", upstream: "u", seq: 1 });
  assert.equal(waits[0]?.isOver, true);
  waits[0]?.then("gone");
  assert.deepEqual(answers, []);

  const other = scene();
  other.questions.handle({ type: "leaveHolder", upstream: "u", seq: 1 });
  assert.equal(other.asks[0]?.isOver, true);
});
