/** An owner that is stopped and goes on after it was replaced: not a frame of it reaches the upstream. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { delay, until } from "../support/until.ts";
import { Load, Scene } from "./scene.ts";

/** The short form is for every run; `STOPS=100` is the long one. */
const STOPS = Number(process.env.STOPS ?? 2);
const LEASE_MS = 600;
const STOPPED_MS = 1_500;

test("an owner that was stopped sends nothing after it was replaced", { skip: lacksNats }, async (t) => {
  // The queue of the rate limit always has a message that is due when the owner goes on, before it looks at its lease.
  const pace = { messages: 1, per: "5ms", queue: 50 };
  const scene = await Scene.start({ t, lease: `${LEASE_MS}ms`, limits: { pace } });
  const load = new Load(scene, 3);
  for (let stop = 0; stop < STOPS; stop++) {
    await delay(200);
    const owner = scene.replicas[await scene.owner()];
    assert.ok(owner);
    const before = scene.upstream.connections.length;
    process.kill(owner.pid, "SIGSTOP");
    const stoppedAt = performance.now();
    await until(() => scene.upstream.connections[before], { what: "the connection of another replica" });
    await delay(Math.max(0, STOPPED_MS - (performance.now() - stoppedAt)));
    process.kill(owner.pid, "SIGCONT");
    await until(() => scene.upstream.connections[before - 1]?.closedAt, { what: "the end of the older connection" });
  }
  const all = await load.stop();
  const { connections, received } = scene.upstream;
  const overtaken = received.filter(({ connection, at }) => at > (connections[connection]?.openedAt ?? Infinity));
  t.diagnostic(
    `${all.length} requests, ${connections.length} connections, ${overtaken.length} frames of a replaced owner`,
  );
  assert.deepEqual(overtaken.slice(0, 3), []);
});
