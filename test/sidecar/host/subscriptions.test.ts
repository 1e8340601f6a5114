/** Tests of the host side of subscriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToThread } from "../../../src/sidecar/contract.ts";
import { UpstreamSubscriptions } from "../../../src/sidecar/host/subscriptions.ts";

const died = { code: "sidecar_crashed", sent: "maybe", detail: "the thread died" } as const;

test("the death of their thread leaves no subscription active", () => {
  const subscriptions = new UpstreamSubscriptions("default", {}, () => {});
  subscriptions.add("a", { request: "SUB", match: { "/type": "tick" } });
  const phases: (string | undefined)[] = [];
  subscriptions.watch("a", (state) => phases.push(state?.phase));
  subscriptions.receive("a", { phase: "active", activations: 1 });
  subscriptions.crashed(died);
  assert.deepEqual([phases, subscriptions.get("a")?.phase], [["active", "waiting"], "waiting"]);
});

test("a request that must not be repeated is not requested by the next thread", () => {
  const posted: ToThread[] = [];
  const subscriptions = new UpstreamSubscriptions("default", {}, (message) => posted.push(message));
  for (const renew of [true, false]) subscriptions.add(String(renew), { request: "SUB", has: ["/x"], renew });
  subscriptions.crashed(died);
  const { phase, lastFailure } = subscriptions.get("false") ?? {};
  assert.deepEqual([phase, lastFailure?.sent], ["failed", "maybe"]);
  const lost = subscriptions.openingMessages().map((message) => message.type === "subscribe" && message.lost);
  assert.deepEqual(lost, [undefined, lastFailure]);
});

test("a removal ends with the report of the thread, or with the thread", async () => {
  const posted: ToThread[] = [];
  const subscriptions = new UpstreamSubscriptions("default", {}, (message) => posted.push(message));
  const remove = (name: string) => {
    subscriptions.add(name, { request: "SUB", has: ["/x"] });
    return subscriptions.remove(name);
  };
  const [agreed, refused, crashed] = ["a", "b", "c"].map(remove);
  const [first, second] = posted.flatMap((message) => (message.type === "unsubscribe" ? [message.seq] : []));
  subscriptions.removed(first ?? 0, undefined);
  subscriptions.removed(second ?? 0, died);
  subscriptions.crashed(died);
  assert.deepEqual(await Promise.all([agreed, refused, crashed]), [undefined, died, undefined]);
  assert.equal(await subscriptions.remove("unknown"), undefined);
});
