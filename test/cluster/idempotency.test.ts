/** Requests with an Idempotency-Key, repeated at other replicas: the upstream gets each once, and all hear of one end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

interface Repeated {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
  readonly code: string | undefined;
  readonly sent: string | undefined;
  readonly location: string | null;
}

/** Sends a message under a key through a replica. `of` is the key by which the upstream's record knows it. */
async function send(scene: Scene, replica: number, key: string, message: object, query = ""): Promise<Repeated> {
  const response = await fetch(`${scene.replicas[replica]?.url}/v1/upstreams/default/request${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
  });
  const text = await response.text();
  const { code, sent } = JSON.parse(text) as { code?: string; sent?: string };
  const replayed = response.headers.get("idempotency-replayed") === "true";
  return { status: response.status, text, replayed, code, sent, location: response.headers.get("location") };
}

const echo = (...params: string[]) => ({ method: "echo", params });
const never = (...params: string[]) => ({ method: "never", params });

test("a request that is repeated at any replica is sent once", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t });
  const { upstream } = scene;
  const owner = await scene.owner();
  const others = [0, 1, 2].filter((index) => index !== owner);
  const [one = 0, two = 0] = others;

  await t.test("while it is on its way, and afterwards", async () => {
    upstream.delayMs = 150;
    const first = await Promise.all([one, two, owner, one].map((replica) => send(scene, replica, "a", echo("a"))));
    upstream.delayMs = 0;
    const again = await Promise.all([one, two, owner].map((replica) => send(scene, replica, "a", echo("a"))));
    for (const { status, text } of [...first, ...again]) assert.deepEqual([status, text], [200, first[0]?.text]);
    assert.deepEqual(
      again.map(({ replayed }) => replayed),
      [true, true, true],
    );
    assert.equal(upstream.timesOf("a"), 1);
  });

  await t.test("through the owner first, and then through another", async () => {
    assert.equal((await send(scene, owner, "b", echo("b"))).replayed, false);
    assert.deepEqual(await send(scene, two, "b", echo("b")), { ...(await send(scene, owner, "b", echo("b"))) });
    assert.equal(upstream.timesOf("b"), 1);
  });
});
