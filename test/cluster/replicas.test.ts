/** Replicas of a cluster: one of them has the connection, and each serves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { Load, Scene } from "./scene.ts";

test("any replica serves, over the one connection of the owner", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t });
  const load = new Load(scene);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const all = await load.stop();
  assert.deepEqual(all.filter(({ end }) => end !== "reply").slice(0, 5), []);
  assert.equal(scene.upstream.connections.length, 1);
});
