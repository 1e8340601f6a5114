/** Tests of an upstream's host side while its thread is not listening yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/upstream-settings.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { MessageBatch } from "../../../src/sidecar/batching.ts";
import type { ToThread } from "../../../src/sidecar/contract.ts";
import { type RawThread, SidecarThread } from "../../../src/sidecar/host/supervised-thread.ts";
import { UpstreamClient } from "../../../src/sidecar/host/upstream-client.ts";
import { type RowFromThread, type RowToThread, unpackToThread } from "../../../src/sidecar/message-codec.ts";
import { UpstreamNumbers } from "../../../src/sidecar/upstream-numbers.ts";

/** A client on a thread that listens once `ready` is called. */
function starting() {
  const received: ToThread[] = [];
  const numbers = new UpstreamNumbers();
  let listener = (_: MessageBatch<RowFromThread>): void => {};
  const end = deferred<{ readonly error: string | undefined; readonly last: readonly unknown[] }>();
  const raw: RawThread = {
    port: {
      on: (_, given) => {
        listener = given;
      },
      postMessage: (batch) =>
        unpackToThread((batch as MessageBatch<RowToThread>).row, { numbers, skew: 0 }, (message) => {
          if (message.type === "open") numbers.set(message.upstream, message.number);
          received.push(message);
        }),
      ref: () => {},
      unref: () => {},
    },
    mark: new Int32Array(1),
    ended: end.promise,
    terminate: () => {},
  };
  const thread = new SidecarThread(() => raw);
  const client = new UpstreamClient("a", upstreamSchema.parse({ url: "ws://127.0.0.1:1" }), thread);
  return { received, thread, client, ready: () => listener({ at: 0, row: [{ type: "ready", upstream: "*" }] }) };
}

const request = (timeoutMs: number) => ({ kind: "request", body: "{}", timeoutMs }) as const;
const facts = (outcome: Outcome) => outcome.type === "failed" && [outcome.failure.code, outcome.failure.sent];
const requests = (received: readonly ToThread[]) => received.filter(({ type }) => type === "request");

/** Reads a stream. @returns its outcome */
function streamed(client: UpstreamClient, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    client.stream({ body: "{}", timeoutMs }, { begin: () => {}, part: () => {}, end: resolve });
  });
}

test("a request that times out before its thread listens is unsent, and is not sent afterwards", async () => {
  const { received, thread, client, ready } = starting();
  const outcomes = await Promise.all([client.request(request(1)), streamed(client, 1)]);
  assert.deepEqual(outcomes.map(facts), [
    ["reply_timeout", "no"],
    ["reply_timeout", "no"],
  ]);
  ready();
  assert.deepEqual(requests(received), []);
  thread.stopRestarting();
});

test("callers of a thread that does not listen are bounded, though none of them is in flight", async () => {
  const { thread, client } = starting();
  const waiting = Array.from({ length: 1_024 }, () => client.request(request(60_000)));
  assert.deepEqual(facts(await client.request(request(60_000))), ["too_many_in_flight", "no"]);
  client.abandonAll();
  assert.equal((await Promise.all(waiting)).length, 1_024);
  thread.stopRestarting();
});

test("a request that waits for its thread when the exit begins fails as unsent", async () => {
  const { received, thread, client, ready } = starting();
  const outcomes = [client.request(request(10_000)), streamed(client, 10_000)];
  thread.stopRestarting();
  client.drain();
  assert.deepEqual((await Promise.all(outcomes)).map(facts), [
    ["shutting_down", "no"],
    ["shutting_down", "no"],
  ]);
  ready();
  assert.deepEqual(requests(received), []);
  client.abandonAll();
});

test("a request that was posted to a silent thread may have been sent", async () => {
  const { received, thread, client, ready } = starting();
  ready();
  const outcome = await client.request(request(1));
  assert.deepEqual([facts(outcome), requests(received).length], [["reply_timeout", "maybe"], 1]);
  thread.stopRestarting();
});

test("settings that change before the thread listens are those that it opens, with their subscriptions alone", async () => {
  const { received, thread, client, ready } = starting();
  const subscribed = (method: string) =>
    upstreamSchema.parse({
      url: "ws://127.0.0.1:1",
      subscriptions: { s: { request: { jsonrpc: "2.0", method }, match: { "/a": 1 } } },
    });
  client.reconfigure(subscribed("one"), false);
  client.reconfigure(subscribed("two"), true);
  ready();
  assert.deepEqual(
    received.map(({ type }) => type),
    ["open", "subscribe"],
  );
  const [open, subscribe] = received;
  assert.equal(open?.type === "open" && open.settings, client.settings);
  assert.match(JSON.stringify(subscribe), /"method":"two"/);
  assert.equal(await client.subscriptions.remove("none"), undefined);
  thread.stopRestarting();
});

test("a thread that listens learns of settings, and of an upstream that it gets or loses later", () => {
  const { received, thread, client, ready } = starting();
  ready();
  received.length = 0;
  client.reconfigure(upstreamSchema.parse({ url: "ws://127.0.0.1:2" }), true);
  new UpstreamClient("b", client.settings, thread);
  thread.remove("b");
  thread.flush();
  assert.deepEqual(
    received.map(({ type, upstream }) => `${type} ${upstream}`),
    ["reconfigure a", "open b", "remove b"],
  );
  assert.deepEqual([thread.has("a"), thread.has("b"), thread.size], [true, false, 1]);
  thread.stopRestarting();
});

test("a thread that listens is told whether to trace an upstream that it gets later", () => {
  const { received, thread, client, ready } = starting();
  ready();
  received.length = 0;
  new UpstreamClient("b", client.settings, thread, { onFrame: () => {} });
  new UpstreamClient("c", client.settings, thread);
  thread.flush();
  assert.deepEqual(
    received.map((message) => message.type === "open" && message.traces),
    [true, false],
  );
  thread.stopRestarting();
});
