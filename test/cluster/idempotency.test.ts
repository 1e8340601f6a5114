/** Requests with an Idempotency-Key, repeated at other replicas: the upstream gets each once, and all hear of one end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly isReplayed: boolean;
}

/** Sends a message with an Idempotency-Key through a replica. */
async function send(scene: Scene, replica: number, key: string, message: object, timeout = "5s"): Promise<Answer> {
  const response = await fetch(`${scene.replicas[replica]?.url}/v1/upstreams/default/request?timeout=${timeout}`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
  });
  const isReplayed = response.headers.get("idempotency-replayed") === "true";
  return { status: response.status, text: await response.text(), isReplayed };
}

/** The status of a failure, with its code and `sent`. */
function failureOf({ status, text }: Answer): readonly unknown[] {
  const { code, sent } = JSON.parse(text) as { readonly code: string; readonly sent: string };
  return [status, code, sent];
}

const call = (method: string, param: string) => ({ method, params: [param] });

test("a request that is repeated at any replica is sent once", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, shutdown: { drain: "100ms", close: "1s" } });
  const { upstream } = scene;
  const owner = await scene.owner();
  const [one = 0, two = 0] = [0, 1, 2].filter((index) => index !== owner);

  await t.test("during it and afterwards it has one reply", async () => {
    upstream.delayMs = 100;
    const during = await Promise.all([one, two, owner, one].map((each) => send(scene, each, "a", call("echo", "a"))));
    upstream.delayMs = 0;
    const after = await Promise.all([two, owner, one].map((each) => send(scene, each, "a", call("echo", "a"))));
    for (const { status, text } of [...during, ...after]) assert.deepEqual([status, text], [200, during[0]?.text]);
    assert.ok(after.every(({ isReplayed }) => isReplayed) && !during.every(({ isReplayed }) => isReplayed));
    assert.equal(upstream.timesOf("a"), 1);
  });
  await t.test("another message with its key is refused", async () => {
    for (const replica of [owner, one, two])
      assert.deepEqual(failureOf(await send(scene, replica, "a", call("echo", "other"))), [422, "mismatch", "no"]);
    assert.equal(upstream.timesOf("other"), 0);
  });
  await t.test("a reply that comes late is waited for", async () => {
    const ask = (replica: number, timeout: string) => send(scene, replica, "b", call("hold", "b"), timeout);
    assert.deepEqual(failureOf(await ask(one, "500ms")), [504, "reply_timeout", "maybe"]);
    assert.deepEqual(failureOf(await ask(two, "200ms")), [504, "reply_timeout", "maybe"]);
    const waiting = [two, owner, one].map((each) => ask(each, "5s"));
    upstream.letGo();
    for (const { status, text } of await Promise.all(waiting)) assert.equal(status, 200, text);
    assert.equal(upstream.timesOf("b"), 1);
  });
  await t.test("a long reply comes again", async () => {
    const long = call("echo", "c".repeat(300_000));
    const [first, second] = [await send(scene, one, "c", long), await send(scene, two, "c", long)];
    assert.deepEqual([second.status, second.isReplayed, second.text === first.text], [200, true, true]);
    assert.equal(upstream.received.length, 3);
  });
  await t.test(
    "after the owner was killed, what had a reply has it, and what was on its way may have been sent",
    async () => {
      const lost = send(scene, one, "e", call("never", "e"));
      await until(() => upstream.timesOf("e") === 1, { what: "the message" });
      await scene.kill(owner);
      assert.deepEqual(failureOf(await lost), [502, "connection_lost", "maybe"]);
      const again = [two, one].map((each) => send(scene, each, "e", call("never", "e")));
      for (const answer of await Promise.all(again))
        assert.deepEqual(failureOf(answer), [502, "connection_lost", "maybe"], answer.text);
      for (const replica of [two, one])
        assert.equal((await send(scene, replica, "a", call("echo", "a"))).isReplayed, true);
      const fresh = await Promise.all([one, two].map((each) => send(scene, each, "f", call("echo", "f"))));
      assert.deepEqual([fresh[0]?.status, fresh[0]?.text], [200, fresh[1]?.text]);
      assert.equal(upstream.connections.length, 2);
      for (const key of ["a", "b", "e", "f"]) assert.equal(upstream.timesOf(key), 1, key);
    },
  );
  await t.test("an owner that stops ends what others asked as its own loss, not as their stop", async () => {
    const next = await scene.owner();
    const left = next === one ? two : one;
    const lost = send(scene, left, "g", call("never", "g"), "20s");
    await until(() => upstream.timesOf("g") === 1, { what: "the message" });
    await scene.stop(next);
    assert.deepEqual(failureOf(await lost), [502, "connection_lost", "maybe"]);
    assert.deepEqual(failureOf(await send(scene, left, "g", call("never", "g"))), [502, "connection_lost", "maybe"]);
    assert.equal(upstream.timesOf("g"), 1);
  });
});
