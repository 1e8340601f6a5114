/** The message server goes away: for a moment nobody notices, and longer nobody sends what another might send, too. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { MESSAGES, type PageBody } from "../support/messages.ts";
import { delay, until } from "../support/until.ts";
import { Load, Scene } from "./scene.ts";

/** The short form is for every run; `OUTAGE=1500` is the long one, for a machine that does nothing else. */
const OUTAGE_MS = Number(process.env.OUTAGE ?? 500);
const LEASE_MS = Math.max(2_000, 2 * OUTAGE_MS);
/** The most requests that are on their way through the message server at a moment of this load. */
const ON_THEIR_WAY_MAX = 20;

test("an outage of half a lease fails no request", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, lease: `${LEASE_MS}ms` });
  const load = new Load(scene, 20);
  await delay(200);
  await scene.nats.kill();
  const killedAt = performance.now();
  await delay(OUTAGE_MS);
  await scene.nats.start();
  await delay(700);
  const all = await load.stop();
  // An answer that was on its way through the message server at that moment is lost with it.
  const failed = all.filter(({ end, began }) => end !== "reply" && began > killedAt);
  assert.deepEqual(failed.slice(0, 3), []);
  const lost = all.filter(({ end }) => end !== "reply");
  t.diagnostic(`${lost.length} of ${all.length} were on their way at that moment`);
  assert.ok(lost.length <= ON_THEIR_WAY_MAX && lost.every(({ sent }) => sent === "maybe"), `${lost.length}`);
  assert.equal(scene.upstream.connections.length, 1, "the owner keeps its connection");
});

test("where the upstream bears it, its owner serves its own callers through any outage", {
  skip: lacksNats,
}, async (t) => {
  const settings = { when_alone: "serve" };
  const scene = await Scene.start({ t, on: [undefined, undefined], lease: "1s", handover: "overlap", settings });
  const owner = await scene.owner();
  const [owning, other] = [scene.replicas[owner], scene.replicas[1 - owner]];
  assert.ok(owning && other);
  await scene.nats.kill();
  const late = performance.now() + 3 * 1_000;
  while (performance.now() < late) {
    const { end, detail } = await scene.call(owner);
    assert.equal(end, "reply", detail);
    await delay(50);
  }
  const { end, sent } = await scene.call(1 - owner, "1s");
  assert.ok(end !== "reply" && sent === "no", `${end}: ${sent}`);
  const told = Array.from({ length: 10 }, (_, n) => `alone ${n}`);
  for (const text of told) scene.upstream.say(text);
  await scene.nats.start();
  await until(async () => (await scene.call(1 - owner, "1s")).end === "reply", { within: 15_000, what: "the others" });
  assert.equal(await scene.owner(), owner);
  assert.equal(scene.upstream.connections.length, 1, "the owner keeps its connection");
  for (const replica of [owning, other]) {
    const texts = async (): Promise<readonly string[]> => {
      const page = await (await replica.fetch(MESSAGES)).json();
      return (page as PageBody).messages.map(({ data }) => (data as { params: [string] }).params[0]);
    };
    await until(async () => (await texts()).length >= told.length, { within: 10_000, what: "the messages" });
    assert.deepEqual(await texts(), told);
  }
});

test("an outage longer than the lease fails requests as not sent, and ends by itself", {
  skip: lacksNats,
}, async (t) => {
  const scene = await Scene.start({ t, lease: "1s" });
  const load = new Load(scene, 20, "1s");
  await delay(200);
  await scene.nats.kill();
  await delay(2_500);
  assert.equal(scene.upstream.open, 0, "nobody keeps a connection");
  await scene.nats.start();
  const backAt = performance.now();
  await scene.owner();
  t.diagnostic(`owned again after ${Math.round(performance.now() - backAt)} ms`);
  const [after] = await Promise.all([scene.call(0), delay(200)]);
  assert.equal(after.end, "reply", after.detail);
  const all = await load.stop();
  const failed = all.filter(({ end }) => end !== "reply");
  assert.ok(failed.length > 0, "the outage was noticed");
  const maybe = failed.filter(({ sent }) => sent !== "no");
  t.diagnostic(`${failed.length} of ${all.length} failed, of which ${maybe.length} may have been sent`);
  assert.ok(maybe.length <= ON_THEIR_WAY_MAX, `${maybe.length} may have been sent`);
  assert.equal(scene.upstream.mostOpen, 1);
});
