/** The registry of instances among many: an open, an end and a list cost what is their owner's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { Budget } from "../../src/core/util/budget.ts";
import { Quotas } from "../../src/http/quotas.ts";
import { Instances } from "../../src/instances/instance-registry.ts";
import { Sidecars } from "../../src/sidecar/host/sidecars.ts";
import type { RawThread } from "../../src/sidecar/host/supervised-thread.ts";
import { UpstreamNumbers } from "../../src/sidecar/upstream-numbers.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { stepsOf } from "../support/steps.ts";

const MANY = 500;
/** More than any of the steps takes, and a fraction of {@link MANY}. */
const FEW = 50;

/** A thread that never says anything. */
const silent = (): RawThread => ({
  port: { on: () => {}, postMessage: () => {}, ref: () => {}, unref: () => {} },
  mark: new Int32Array(1),
  ended: new Promise(() => {}),
  terminate: () => {},
});

const callerOf = (owner: string) => ({ identity: owner, share: owner, owner });

test("an instance is opened, listed and ended among many without a look at the others", async () => {
  const settings = upstreamSchema.parse({ url: "ws://127.0.0.1:1/", instances: { max: MANY + 4 } });
  const now = "1ms";
  const { shutdown } = configSchema.parse({ shutdown: { drain: now, close: now, flush: now, join: now, kill: now } });
  const instances = new Instances(new Sidecars(new Map([["rooms", settings]]), shutdown, silent), new Telemetry());
  const open = (owner: string) => instances.open("rooms", { params: {} }, callerOf(owner), () => {});
  for (let n = 0; n < MANY; n++) await open("others");
  const mine = [await open("me"), await open("me"), await open("me")];
  const ids = () => instances.list("rooms", callerOf("me")).map(({ instance }) => instance.id);
  assert.deepEqual(
    ids(),
    mine.map(({ instance }) => instance.id),
  );
  const ends: number[] = [];
  const [list, opened] = [await stepsOf(ids), await stepsOf(() => open("me"))];
  for (const one of mine) ends.push(await stepsOf(() => instances.end(one)));
  // All are looked at four times a second, which may be during one of these.
  const steps = { list, opened, ended: Math.min(...ends) };
  assert.ok(
    Object.values(steps).every((count) => count < FEW),
    JSON.stringify(steps),
  );
  assert.deepEqual([ids().length, instances.counts("rooms").open], [1, MANY + 1]);
  for (let n = 0; n < 3; n++) await open("others");
  await assert.rejects(open("me"), { code: "too_many_in_flight" });
});

test("the end of an instance gives back its subscriptions without a look at those of others", async () => {
  const settings = upstreamSchema.parse({ url: "ws://127.0.0.1:1/", instances: { max: MANY } });
  const quotas = new Quotas({}, true, new Map([["rooms", { settings }]]), Budget.alone(1_024 ** 3));
  const instanceOf = (id: string) => ({ name: "rooms", instance: { id } });
  for (let n = 0; n < MANY; n++) quotas.subscribe(instanceOf(`other-${n}`), "news", `caller-${n}`);
  for (const name of ["a", "b"]) quotas.subscribe(instanceOf("mine"), name, "me");
  assert.ok((await stepsOf(() => quotas.unsubscribe(instanceOf("mine"), "a"))) < FEW);
  assert.ok((await stepsOf(() => quotas.ended(instanceOf("mine")))) < FEW);
});

test("an upstream's number is forgotten without a look at those of others", async () => {
  const numbers = new UpstreamNumbers();
  for (let n = 1; n <= MANY; n++) numbers.add(`upstream-${n}`);
  assert.ok((await stepsOf(() => numbers.remove("upstream-7"))) < FEW);
  assert.deepEqual([numbers.nameOf(7), numbers.nameOf(8)], [undefined, "upstream-8"]);
});

test("steps are counted", async () => {
  const many = new Set(Array.from({ length: MANY }, (_, n) => n));
  assert.ok((await stepsOf(() => [...many].length)) >= MANY);
  assert.ok((await stepsOf(() => new Map([...many].map((n) => [n, n])).forEach(() => {}))) >= MANY);
});
