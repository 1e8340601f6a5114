/** Questions of a host for what another one holds: what becomes of them where nobody is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskEvents } from "../../../src/cluster/engine.ts";
import type { FromThread } from "../../../src/sidecar/contract.ts";
import { HolderQuestions } from "../../../src/sidecar/thread/holder-questions.ts";

const GONE_MS = 15_000;
const address = (number: number) => `held-${"h".repeat(22)}-${number}`;

/** Questions over a bus whose every move is the test's, and how each of them ended. */
function scene() {
  const asks: { readonly events: AskEvents; isOver: boolean }[] = [];
  const answers: unknown[] = [];
  const state = { now: 0, isGone: false };
  const engine = {
    ask(_: string, __: Uint8Array, events: AskEvents) {
      const ask = { events, isOver: false };
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
    tally: { forwarded: 0 },
    now: () => state.now,
    isHostGone: (host) => host === "h".repeat(22) && state.isGone,
    goneAfterMs: GONE_MS,
  });
  let seq = 0;
  const ask = (number = 1): AskEvents => {
    const command = {
      type: "askHolder",
      upstream: "u",
      address: address(number),
      question: new ArrayBuffer(1),
    } as const;
    questions.handle({ ...command, seq: ++seq });
    return asks.at(-1)?.events as AskEvents;
  };
  /** Asks where nobody is. @returns how that ended */
  const missed = (number?: number): unknown => {
    ask(number).nobody();
    return answers.at(-1);
  };
  return { questions, asks, answers, state, ask, missed };
}

test("where nobody is, a host that has been silent for long is gone, and any other may come back", () => {
  const { missed, state } = scene();
  assert.equal(missed(), "apart");
  state.isGone = true;
  assert.equal(missed(), "nobody");
});

test("an address where nobody is for long holds nothing any more, unless somebody answers meanwhile", () => {
  const { ask, missed, state } = scene();
  assert.equal(missed(1), "apart");
  state.now = GONE_MS - 1;
  assert.deepEqual([missed(1), missed(2)], ["apart", "apart"]);
  state.now = GONE_MS;
  assert.deepEqual([missed(1), missed(2)], ["nobody", "apart"]);
  ask(1).answer(new Uint8Array([7]), true);
  assert.equal(missed(1), "apart");
});

test("the addresses where nobody was are bounded", () => {
  const { missed, state } = scene();
  for (let number = 0; number <= 1_024; number++) missed(number);
  state.now = GONE_MS;
  assert.deepEqual([missed(1), missed(0)], ["nobody", "apart"]);
});

test("who leaves hears nothing more", () => {
  const { questions, asks, answers, ask } = scene();
  const events = ask();
  questions.handle({ type: "leaveHolder", upstream: "u", seq: 1 });
  assert.equal(asks[0]?.isOver, true);
  events.nobody();
  assert.deepEqual(answers, []);
});
