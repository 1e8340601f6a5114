/** Replicas of a cluster: one of them has the connection, and each serves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { delay, until } from "../support/until.ts";
import { Load, ownerOf, Scene } from "./scene.ts";

interface List {
  readonly memory: { readonly accounts: { readonly answers: number } };
}

test("any replica serves, on either runtime, over the one connection of the owner", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, on: ["node", "deno", "node"] });
  const load = new Load(scene);
  await delay(500);
  const all = await load.stop();
  assert.deepEqual(all.filter(({ end }) => end !== "reply").slice(0, 3), []);
  assert.equal(scene.upstream.connections.length, 1);

  const { upstream, replicas } = scene;
  const [keeping, ...others] = replicas;
  assert.ok(keeping);
  const call = (method: string, param: string) => ({ jsonrpc: "2.0", id: 7, method, params: [param] });
  const locationOf = (response: Response) => {
    const location = response.headers.get("location");
    assert.ok(location);
    return location;
  };
  let kept = "";

  await t.test("each fetches a late reply, whichever took the request", async () => {
    const late = await keeping.post("/v1/upstreams/default/request?timeout=200ms", call("hold", "late"));
    assert.equal(late.status, 504);
    kept = locationOf(late);
    for (const replica of replicas) {
      const early = await replica.fetch(kept);
      assert.equal(early.status, 202);
      assert.equal(early.headers.get("location"), kept);
      assert.deepEqual(await early.json(), { state: "late", location: kept, code: "reply_timeout", sent: "maybe" });
    }
    const waiting = replicas.map((replica) => replica.fetch(`${kept}?wait=10`));
    upstream.letGo();
    for (const response of await Promise.all(waiting)) {
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 7, result: "late" });
    }
    for (const replica of replicas) assert.equal(await (await replica.fetch(`${kept}?pick=/result`)).text(), "late");
    for (const replica of replicas) assert.equal((await replica.fetch(kept, { method: "HEAD" })).status, 200);
  });
  await t.test("each fetches the long reply of an asynchronous request", async () => {
    const long = "x".repeat(900_000);
    const headers = { "content-type": "application/json", prefer: "respond-async" };
    const request = { method: "POST", headers, body: JSON.stringify(call("echo", long)) };
    const location = locationOf(await keeping.fetch("/v1/upstreams/default/request", request));
    for (const replica of replicas) {
      const { result } = (await (await replica.fetch(`${location}?wait=10`)).json()) as { result: string };
      assert.equal(result.length, long.length);
    }
  });
  await t.test("an id that nobody has given is unknown, as it is without a cluster", async () => {
    for (const replica of replicas) {
      const forged = `${kept.slice(0, -43)}${"a".repeat(43)}`;
      for (const location of [forged, `/v1/requests/${"a".repeat(43)}`, "/v1/requests/held-a.b"])
        assert.equal((await replica.fetch(location)).status, 404);
    }
  });
  await t.test("once the replica that keeps a reply is killed, each says so within seconds", async () => {
    await scene.kill(0);
    const began = performance.now();
    for (const replica of others) {
      const fetched = async () => {
        const answer = await replica.fetch(`${kept}?wait=60`);
        if (answer.status === 410) return answer;
        assert.equal(answer.status, 503, "it may come back");
        await answer.body?.cancel();
        return undefined;
      };
      const response = await until(fetched, { within: 15_000, what: "410" });
      const { code, sent, detail } = (await response.json()) as Record<"code" | "sent" | "detail", string>;
      assert.deepEqual([code, sent], ["gone", "maybe"]);
      assert.match(detail, /the replica that kept the reply is gone/);
    }
    assert.ok(performance.now() - began < 20_000);
  });
});

test("every form of a request works at a replica that does not own the upstream", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, on: [undefined, undefined] });
  const owner = await scene.owner();
  const [other, owning] = [scene.replicas[1 - owner], scene.replicas[owner]];
  assert.ok(other && owning);
  const { upstream } = scene;
  const call = (method: string, ...params: string[]) => ({ jsonrpc: "2.0", id: 7, method, params });

  await t.test("JSON-RPC", async () => {
    assert.deepEqual(await (await other.rpc(call("echo", "a"))).json(), { jsonrpc: "2.0", id: 7, result: "a" });
  });
  await t.test("a batch", async () => {
    const replies = (await (await other.rpc([call("echo", "b"), { ...call("echo", "c"), id: 8 }])).json()) as object[];
    assert.deepEqual(
      replies.map((reply) => (reply as { result: string }).result),
      ["b", "c"],
    );
  });
  await t.test("a reply that is large", async () => {
    const large = "x".repeat(900_000);
    const { result } = (await (await other.rpc(call("echo", large))).json()) as { result: string };
    assert.equal(result.length, large.length);
  });
  await t.test("a message that nothing answers", async () => {
    const sent = await other.post("/v1/upstreams/default/send", { jsonrpc: "2.0", method: "echo", params: ["d"] });
    assert.equal(sent.status, 204);
    await until(() => upstream.timesOf("d") === 1, { what: "the message" });
    const confirmed = await other.post("/v1/upstreams/default/send?confirm=pong", {
      jsonrpc: "2.0",
      method: "echo",
      params: ["e"],
    });
    assert.equal(confirmed.headers.get("sidesocket-sent"), "yes");
  });
  await t.test("a mistake of the caller", async () => {
    const response = await other.request("{");
    assert.equal(response.status, 400);
    assert.equal(((await response.json()) as { code: string }).code, "invalid_request");
  });
  await t.test("a request without a reply in time, which may have been sent", async () => {
    const response = await other.post("/v1/upstreams/default/request?timeout=300ms", call("never", "f"));
    assert.equal(response.status, 504);
    const { code, sent } = (await response.json()) as { code: string; sent: string };
    assert.equal(code, "reply_timeout");
    assert.notEqual(sent, "no");
  });
  await t.test("a reply as a stream", async () => {
    const response = await other.request(call("echo", "g"), { headers: { accept: "application/x-ndjson" } });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /"result":"g"/);
  });
  await t.test("messages are read at either", async () => {
    await other.rpc(call("tell", "h"));
    const read = async (replica: typeof owning) =>
      (await replica.fetch("/v1/upstreams/default/messages?after=earliest&wait=2s")).text();
    assert.match(await read(owning), /"params":\["h"\]/);
    assert.equal(await read(other), await read(owning));
  });
  await t.test("only the owner can acknowledge messages, which the other says", async () => {
    const { next } = (await (await other.fetch("/v1/upstreams/default/messages")).json()) as { next: string };
    const path = `/v1/upstreams/default/messages/acknowledge?through=${next}`;
    const [there, here] = await Promise.all([owning.post(path, {}), other.post(path, {})]);
    assert.deepEqual([there.status, here.status], [200, 503]);
    assert.match(((await here.json()) as { detail: string }).detail, /another replica of the cluster owns/);
  });
  await t.test("subscriptions are the owner's", async () => {
    const subscribe = (replica: typeof owning) =>
      replica.post("/v1/upstreams/default/subscriptions", { request: call("echo", "i"), match: { "/method": "told" } });
    const refused = await subscribe(other);
    assert.equal(refused.status, 503, await refused.text());
    const agreed = await subscribe(owning);
    assert.equal(agreed.status, 201, await agreed.text());
  });
  await t.test("what is passed on leaves nothing behind in memory", async () => {
    const answers = async (replica: typeof owning) => {
      const list = (await (await replica.fetch("/v1/upstreams")).json()) as List;
      return list.memory.accounts.answers;
    };
    for (const replica of [owning, other]) {
      await until(async () => (await answers(replica)) === 0, { what: "an account that is empty" });
    }
  });
  await t.test("the state and the metrics name the owner", async () => {
    const [one, two] = await Promise.all([ownerOf(owning), ownerOf(other)]);
    assert.deepEqual([one?.self, two?.self, one?.member], [true, false, two?.member]);
    const metrics = await (await other.fetch("/metrics")).text();
    assert.match(metrics, /^sidesocket_cluster_owner\{upstream="default"\} 0$/m);
    assert.match(metrics, /^sidesocket_cluster_forwarded_total\{upstream="default"\} [1-9]/m);
  });
  assert.equal(upstream.connections.length, 1);
});

test("a replica without a message server is not ready, and says why", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, on: [] });
  await scene.nats.kill();
  const replica = await scene.startReplica();
  const page = replica.fetch("/v1/upstreams/default/messages");
  const response = await replica.fetch("/readyz");
  assert.equal(response.status, 503);
  assert.match(await response.text(), /no contact with the others/);
  const refused = await replica.post("/v1/upstreams/default/request?timeout=200ms", {
    jsonrpc: "2.0",
    id: 1,
    method: "echo",
  });
  const { code, sent } = (await refused.json()) as { code: string; sent: string };
  assert.deepEqual([code, sent], ["reply_timeout", "no"]);
  const unread = (await (await page).json()) as { code: string; detail: string };
  assert.deepEqual([unread.code, unread.detail], ["upstream_down", UNREADABLE]);
});

const UNREADABLE = "this replica cannot read the messages that the cluster keeps at present";
