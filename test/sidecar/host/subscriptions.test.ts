/** Tests of the host side of subscriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamSubscriptions } from "../../../src/sidecar/host/subscriptions.ts";

test("the death of their thread leaves no subscription active", () => {
  const subscriptions = new UpstreamSubscriptions("default", {}, () => {});
  subscriptions.add("a", { request: "SUB", match: { "/type": "tick" } });
  const phases: (string | undefined)[] = [];
  subscriptions.watch("a", (state) => phases.push(state?.phase));
  subscriptions.receive("a", { phase: "active", activations: 1 });
  subscriptions.crashed();
  assert.deepEqual([phases, subscriptions.get("a")?.phase], [["active", "waiting"], "waiting"]);
});
