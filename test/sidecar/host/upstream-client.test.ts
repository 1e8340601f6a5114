/** The host side of an upstream on a thread that does not listen yet: nothing of what was asked has been sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamSchema } from "../../../src/config/schema.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import { deferred } from "../../../src/core/util/deferred.ts";
import type { MessageBatch } from "../../../src/sidecar/batching.ts";
import type { ToThread } from "../../../src/sidecar/contract.ts";
import { type RawThread, SidecarThread } from "../../../src/sidecar/host/supervised-thread.ts";
import { UpstreamClient } from "../../../src/sidecar/host/upstream-client.ts";
import { type RowFromThread, type RowToThread, unpackToThread } from "../../../src/sidecar/message-codec.ts";

/** A thread that is as long in starting as it is made to be. */
function starting() {
  const told: ToThread[] = [];
  let listener = (_: MessageBatch<RowFromThread>): void => {};
  const end = deferred<{ readonly error: string | undefined }>();
  const raw: RawThread = {
    port: {
      on: (_, given) => {
        listener = given;
      },
      postMessage: (batch) => unpackToThread((batch as MessageBatch<RowToThread>).row, (message) => told.push(message)),
      ref: () => {},
      unref: () => {},
    },
    ended: end.promise,
    terminate: () => {},
  };
  const thread = new SidecarThread(() => raw);
  const client = new UpstreamClient("a", upstreamSchema.parse({ url: "ws://127.0.0.1:1" }), thread);
  return { told, thread, client, ready: () => listener({ at: 0, row: [{ type: "ready", upstream: "*" }] }) };
}

const ask = (timeoutMs: number) => ({ kind: "request", body: "{}", timeoutMs }) as const;
const facts = (outcome: Outcome) => outcome.type === "failed" && [outcome.failure.code, outcome.failure.sent];
const requests = (told: readonly ToThread[]) => told.filter(({ type }) => type === "request");

/** Reads a stream, and gives how it ended. */
function streamed(client: UpstreamClient, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    client.stream({ body: "{}", timeoutMs }, { begin: () => {}, part: () => {}, end: resolve });
  });
}

test("what is out of time before its thread listens was not sent, and is not sent then", async () => {
  const { told, thread, client, ready } = starting();
  const outcomes = await Promise.all([client.request(ask(1)), streamed(client, 1)]);
  assert.deepEqual(outcomes.map(facts), [
    ["reply_timeout", "no"],
    ["reply_timeout", "no"],
  ]);
  ready();
  assert.deepEqual(requests(told), []);
  thread.leave();
});

test("what waits for its thread when the exit begins is not sent, and is told so", async () => {
  const { told, thread, client, ready } = starting();
  const outcomes = [client.request(ask(10_000)), streamed(client, 10_000)];
  thread.leave();
  client.drain();
  assert.deepEqual((await Promise.all(outcomes)).map(facts), [
    ["shutting_down", "no"],
    ["shutting_down", "no"],
  ]);
  ready();
  assert.deepEqual(requests(told), []);
  client.abandonAll();
});

test("of what the thread was told nobody can say that it was not sent", async () => {
  const { told, thread, client, ready } = starting();
  ready();
  const outcome = await client.request(ask(1));
  assert.deepEqual([facts(outcome), requests(told).length], [["reply_timeout", "maybe"], 1]);
  thread.leave();
});
