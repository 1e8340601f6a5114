/** The host side of standing subscriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamSubscriptions } from "../../../src/sidecar/host/subscriptions.ts";

test("when their thread has died, none is said to be active any more", () => {
  const all = new UpstreamSubscriptions("default", {}, () => {});
  all.add("a", { request: "SUB", match: { "/type": "tick" } });
  const phases: (string | undefined)[] = [];
  all.watch("a", (state) => phases.push(state?.phase));
  all.receive("a", { phase: "active", activations: 1 });
  all.crashed();
  assert.deepEqual([phases, all.get("a")?.phase], [["active", "waiting"], "waiting"]);
});
