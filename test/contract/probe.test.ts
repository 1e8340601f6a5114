/** `sidesocket probe` as a real process, in front of servers of several dialects. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runProduct } from "../support/product.ts";
import { startUpstream } from "../support/upstream.ts";

test("a server that greets is known by its first frame", async (t) => {
  const upstream = await startUpstream({
    t,
    onConnection: (connection) => connection.send({ type: "auth_required", ha_version: "2026.1" }),
  });
  const ran = await runProduct(["probe", `${upstream.url}api/websocket?key=s3cr3t-of-mine`, "--for", "200ms"]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^# certain: home-assistant, because its first frame is auth_required of ha_version$/m);
  assert.match(
    ran.stdout,
    /^ {4}url: "ws:\/\/127\.0\.0\.1:\d+\/api\/websocket" {3}# put in its credentials, and its query$/m,
  );
  assert.doesNotMatch(ran.stdout + ran.stderr, /s3cr3t-of-mine/);
  assert.deepEqual(
    upstream.connections.map(({ messages }) => messages),
    [[]],
  );
});

test("a server that is silent is asked by subprotocols alone, and sent nothing", async (t) => {
  const upstream = await startUpstream({
    t,
    subprotocol: (offered) => offered.find((name) => name === "graphql-transport-ws"),
  });
  const ran = await runProduct(["probe", upstream.url, "--for", "200ms"]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^# certain: graphql-transport-ws, because it agrees on the subprotocol/m);
  assert.deepEqual(
    upstream.connections.flatMap(({ messages }) => messages),
    [],
  );
  assert.ok(upstream.connections.some(({ path }) => path.startsWith("/socket.io/?EIO=4")));
});

test("a server that refuses is exit code 3, with its reason and a hint", async (t) => {
  const upstream = await startUpstream({ t, refuse: () => 401 });
  const ran = await runProduct(["probe", upstream.url, "--for", "200ms"]);
  assert.equal(ran.code, 3, ran.stdout);
  assert.match(ran.stdout, /cannot be opened: the upstream answered the upgrade with HTTP 401/);
  assert.match(ran.stdout, /^# it wants credentials/m);
});
