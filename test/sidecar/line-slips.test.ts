/** Slips: what crosses in a line's memory, what has to go by its port, and what a thread that is gone leaves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Replied } from "../../src/core/outcome.ts";
import type { CommandOf, FromThread } from "../../src/sidecar/contract.ts";
import { newWords } from "../../src/sidecar/line.ts";
import { LineSlips } from "../../src/sidecar/line-slips.ts";

/** The caller's side of a line's slips, and the thread's. */
function line() {
  const its = { upstream: "a", words: newWords() };
  return { caller: new LineSlips(its), thread: new LineSlips(its) };
}

const request = (seq: number, body: CommandOf<"request">["body"], kind: CommandOf<"request">["kind"] = "request") =>
  ({ type: "request", upstream: "a", seq, kind, body, deadline: 1_000.5 }) as const;
const settled = (seq: number, outcome: Partial<Replied> = {}): FromThread => ({
  type: "settled",
  upstream: "a",
  seq,
  outcome: { type: "reply", body: "pong", queueMs: 0.25, upstreamMs: 1.5, ...outcome },
});

test("requests of every kind, and replies, arrive as they were put, one after the other", () => {
  const { caller, thread } = line();
  let seq = 2 ** 48;
  for (const kind of ["request", "rpc", "send", "confirm"] as const) {
    for (const body of ["", "\ufeffü€😀\u0000", "x".repeat(1_000)]) {
      const sent = request(++seq, body, kind);
      assert.equal(caller.putRequest(sent, 7.25), seq);
      assert.deepEqual(thread.takeRequest(seq), { at: 7.25, request: sent });
      assert.equal(thread.takeRequest(seq), undefined, "it is taken once");
      assert.equal(thread.putReply(settled(seq, { body })), true);
      assert.deepEqual(caller.takeReply(), settled(seq, { body }));
      assert.equal(caller.takeReply(), undefined, "it is taken once");
    }
  }
});

test("what is large, no text, no Unicode, or has more than a slip holds, goes by the port", () => {
  const { caller, thread } = line();
  const bodies = ["€".repeat(1_353), "\ud800", "a\udc00b", new Uint8Array([1])];
  for (const body of bodies) {
    assert.equal(caller.putRequest(request(1, body), 0), undefined);
    assert.equal(thread.putReply(settled(1, { body })), false);
  }
  const key = {} as NonNullable<CommandOf<"request">["key"]>;
  assert.equal(caller.putRequest({ ...request(1, "x"), key }, 0), undefined);
  assert.equal(caller.putRequest(request(1, "x", "stream"), 0), undefined);
  assert.equal(caller.putRequest({ type: "abandon", upstream: "a", seq: 1 }, 0), undefined);
  assert.equal(thread.putReply(settled(1, { isCut: true })), false);
  assert.equal(thread.putReply({ type: "settled", upstream: "a", seq: 1, outcome: { type: "done" } }), false);
  assert.equal(thread.putReply({ type: "drained", upstream: "a" }), false);
  assert.equal(caller.takeReply(), undefined);
  assert.equal(caller.putRequest(request(1, "€".repeat(1_352)), 0), 1, "all that fits is put");
});

test("a slip that was not taken stays as it is, and the next one goes by the port", () => {
  const { caller, thread } = line();
  caller.putRequest(request(1, "first"), 0);
  assert.equal(caller.putRequest(request(2, "second"), 0), undefined);
  thread.putReply(settled(1, { body: "late" }));
  assert.equal(thread.putReply(settled(2)), false);
  assert.equal(thread.takeRequest(1)?.request.body, "first");
  assert.deepEqual(caller.takeReply(), settled(1, { body: "late" }));
});

test("a thread that the caller has left takes nothing that is meant for the next one", () => {
  const { caller, thread } = line();
  caller.putRequest(request(1, "to the old thread"), 0);
  thread.putReply(settled(0));
  caller.clear();
  assert.equal(caller.takeReply(), undefined);
  assert.equal(caller.putRequest(request(2, "to the new thread"), 0), 2);
  assert.equal(thread.takeRequest(1), undefined);
  assert.equal(thread.takeRequest(2)?.request.body, "to the new thread");
});
