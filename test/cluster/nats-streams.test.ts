/** Tests of the bounds that the streams of a cluster have in NATS. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyRoom } from "../../src/cluster/key-room.ts";
import { bucketConfig } from "../../src/cluster/nats-streams.ts";
import { settingsOf } from "./engine-expectations.ts";

/** Twice as many as the busiest cluster of three replicas has. */
const MEMBERS = 48;

for (const claimsMax of [1, 10, 100, 100_000]) {
  test(`members that count ${claimsMax} keys at the same moment stay below the server's bound`, () => {
    let keys = claimsMax - 1;
    const rooms = Array.from({ length: MEMBERS }, () => new KeyRoom(claimsMax));
    for (const room of rooms) room.counted(claimsMax - 1, 0, 0);
    for (const room of rooms) while (room.take(0)) keys++;
    const { max_msgs: most = 0 } = bucketConfig({ ...settingsOf([], "m"), claimsMax }, "claims");
    assert.ok(keys < most, `${keys} keys of ${most}`);
  });
}
