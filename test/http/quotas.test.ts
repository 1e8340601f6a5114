/** Tests of the shares of callers: those of an upstream's own connection, and those of its instances. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { Budget, budgetMemory, sidesFor } from "../../src/core/util/budget.ts";
import { SidesocketError } from "../../src/errors.ts";
import { Quotas } from "../../src/http/quotas.ts";

const settings = upstreamSchema.parse({
  url: "wss://example.org/",
  limits: { in_flight: 4, subscriptions: 4 },
  messages: { readers: 4 },
  instances: { max: 100 },
});

const refusal = (error: unknown) => error instanceof SidesocketError && error.code === "too_many_in_flight";

test("the connection that all share is shared fairly, also beside instances", () => {
  const quotas = new Quotas(
    {},
    true,
    new Map([["rooms", { settings }]]),
    new Budget(budgetMemory(64 * 1_024 ** 2, sidesFor(1))),
  );
  const shared = { name: "rooms" };
  const own = { name: "rooms", instance: { id: "1" } };
  const taken: (() => void)[] = [];
  const takeAll = () => {
    for (let count = 0; count < 10; count++) taken.push(quotas.request(shared, "alice", 1));
  };
  assert.throws(takeAll, refusal);
  assert.ok(taken.length < 4, `${taken.length}`);
  quotas.request(shared, "bob", 1)();
  for (let count = 0; count < 10; count++) quotas.request(own, "alice", 1);
  taken[0]?.();
  quotas.request(shared, "alice", 1)();
});

test("subscriptions of an instance are given back to the share of instances", () => {
  const quotas = new Quotas(
    { subscriptions: 1 },
    true,
    new Map([["rooms", { settings }]]),
    new Budget(budgetMemory(64 * 1_024 ** 2, sidesFor(1))),
  );
  const own = { name: "rooms", instance: { id: "1" } };
  quotas.subscribe(own, "a", "alice");
  assert.throws(() => quotas.subscribe(own, "b", "alice"), refusal);
  quotas.subscribe({ name: "rooms" }, "a", "alice");
  quotas.ended(own);
  quotas.subscribe(own, "b", "alice");
});
