/** The callers that wait for an upstream's consent: each gets one outcome, and a true `sent`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SubscriptionState } from "../../../src/core/messages/subscriptions.ts";
import { AgreementWaits } from "../../../src/sidecar/thread/agreement-waits.ts";

const inPhase = (phase: SubscriptionState["phase"]): SubscriptionState => ({ phase, activations: 0 });
const refused: SubscriptionState = {
  phase: "failed",
  activations: 0,
  lastFailure: { code: "invalid_reply", sent: "yes", detail: "no" },
};

function start() {
  const outcomes: string[] = [];
  const waits = new AgreementWaits((seq, outcome) => {
    const { code = "agreed", sent = "" } = outcome.type === "failed" ? outcome.failure : {};
    outcomes.push(`${seq} ${code} ${sent}`.trim());
  });
  return { waits, outcomes };
}

test("a caller waits until the upstream has agreed, also before the subscription is known, and a later one does not", () => {
  const { waits, outcomes } = start();
  waits.ask(1, "a", true);
  waits.onState("a", inPhase("asking"));
  waits.ask(2, "a", true);
  assert.deepEqual(outcomes, []);
  waits.onState("a", inPhase("active"));
  waits.ask(3, "a", true);
  waits.onState("a", inPhase("active"));
  assert.deepEqual(outcomes, ["1 agreed", "2 agreed", "3 agreed"]);
});

test("a refusal is the failure of all that wait, and of those that ask later", () => {
  const { waits, outcomes } = start();
  waits.ask(1, "a", true);
  waits.ask(2, "b", true);
  waits.onState("a", refused);
  waits.ask(3, "a", false);
  assert.deepEqual(outcomes, ["1 invalid_reply yes", "3 invalid_reply yes"]);
});

test("a caller who does not wait learns whether the request has gone out", () => {
  const { waits, outcomes } = start();
  waits.ask(1, "a", false);
  waits.onState("a", inPhase("asking"));
  waits.ask(2, "a", false);
  waits.onState("a", inPhase("waiting"));
  waits.ask(3, "a", false);
  assert.deepEqual(outcomes, ["1 upstream_down no", "2 reply_timeout maybe", "3 connection_lost maybe"]);
});

test("removal, the caller's leave and the exit end the waiting", () => {
  const { waits, outcomes } = start();
  waits.ask(1, "a", true);
  waits.ask(2, "a", true);
  waits.abandon(2);
  waits.onState("a", inPhase("asking"));
  waits.onRemoved("a");
  waits.ask(3, "a", true);
  waits.ask(5, "a", false);
  waits.ask(4, "b", true);
  waits.onState("b", inPhase("asking"));
  waits.cancel();
  waits.cancel();
  assert.deepEqual(outcomes, ["1 conflict maybe", "5 upstream_down no", "3 shutting_down no", "4 cancelled maybe"]);
});
