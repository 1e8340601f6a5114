/** What goes in on one side comes out on the other, over a real channel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { Replied } from "../../src/core/outcome.ts";
import { type MessageBatch, Outbox, unpack } from "../../src/sidecar/batching.ts";
import type { FromThread, ToThread } from "../../src/sidecar/contract.ts";
import { until } from "../support/until.ts";

type Message = ToThread | FromThread;

const LONG = 64 * 1024;
const now = () => 7;

/** Sends in one turn; gives the batches that arrive, each as its messages. */
async function across(messages: readonly Message[]): Promise<Message[][]> {
  const { port1, port2 } = new MessageChannel();
  const batches: Message[][] = [];
  port2.on("message", (batch: MessageBatch) => {
    assert.equal(batch.at, 7);
    const taken: Message[] = [];
    unpack<Message>(batch, (message) => taken.push(message));
    batches.push(taken);
  });
  const outbox = new Outbox<Message>(port1, now);
  for (const message of messages) outbox.push(message);
  await until(() => batches.flat().length === messages.length);
  port1.close();
  return batches;
}

const request = (seq: number, body: string | Uint8Array): Message => ({
  type: "request",
  upstream: "a",
  seq,
  kind: "rpc",
  body,
  deadline: 12.5,
});
const reply = (body: string | Uint8Array): Replied => ({ type: "reply", body, queueMs: 1, upstreamMs: 2 });
const settled = (seq: number, body: string | Uint8Array): Message => ({
  type: "settled",
  upstream: "a",
  seq,
  outcome: reply(body),
});

test("messages of one turn cross together, in their order, and come out as they went in", async () => {
  const sent: Message[] = [
    request(1, "text"),
    { type: "abandon", upstream: "a", seq: 1 },
    request(2, new Uint8Array([1, 2])),
    settled(3, "reply"),
    { type: "settled", upstream: "b", seq: 4, outcome: { type: "done" } },
    { type: "late", upstream: "a", seq: 5, outcome: reply("late") },
    { type: "beat", upstream: "*" },
  ];
  const [batch, ...others] = await across(sent);
  assert.deepEqual(others, []);
  const plain = batch?.map((message) => JSON.parse(JSON.stringify(message)));
  const expected = sent.map((message) => JSON.parse(JSON.stringify(message)));
  for (const message of [...(plain ?? [])]) delete message.outcome?.isText;
  assert.deepEqual(plain, expected);
});

test("of many in one turn no more cross at once than the other side can begin with", async () => {
  const sent = Array.from({ length: 40 }, (_, seq) => request(seq, "text"));
  const batches = await across(sent);
  assert.deepEqual(
    batches.map(({ length }) => length),
    [16, 16, 8],
  );
  assert.deepEqual(
    batches.flat().map((message) => "seq" in message && message.seq),
    sent.map((_, seq) => seq),
  );
});

test("what is alone goes at once, unless there was more together the last time", async () => {
  const sizes: number[] = [];
  const outbox = new Outbox<Message>({ postMessage: (batch) => sizes.push((batch as MessageBatch).row.length) }, now);
  const alone = () => outbox.push({ type: "beat", upstream: "*" }, true);
  alone();
  alone();
  assert.deepEqual(sizes.splice(0), [1, 1]);
  outbox.push({ type: "beat", upstream: "*" });
  alone();
  assert.deepEqual(sizes.splice(0), [2]);
  alone();
  assert.deepEqual(sizes, []);
  await until(() => sizes.length > 0);
  alone();
  assert.deepEqual(sizes, [1, 1]);
});

test("a long text crosses as bytes and says that it is one; a view brings no more than itself", async () => {
  const long = "ü".repeat(LONG);
  const view = new Uint8Array(1_000_000).subarray(10, 10 + LONG).fill(3);
  const [batch = []] = await across([settled(1, long), settled(2, "x".repeat(LONG - 1)), settled(3, view)]);
  const outcomes = batch.map((message) => (message as { outcome: Replied }).outcome);
  assert.deepEqual(
    outcomes.map(({ isText }) => isText),
    [true, false, false],
  );
  assert.equal(new TextDecoder().decode(outcomes[0]?.body as Uint8Array), long);
  assert.equal(typeof outcomes[1]?.body, "string");
  const bytes = outcomes[2]?.body as Uint8Array;
  assert.deepEqual([bytes.byteLength, bytes.buffer.byteLength, bytes[0]], [LONG, LONG, 3]);
  assert.equal(view.byteLength, LONG, "who kept the bytes has them still");
});

test("the bytes of a request stay its caller's", async () => {
  const whole = new Uint8Array(2 * LONG).fill(4);
  const [batch = []] = await across([request(1, whole), request(2, whole)]);
  for (const message of batch) assert.deepEqual((message as { body: Uint8Array }).body, whole);
  assert.equal(whole.byteLength, 2 * LONG);
});

test("bytes cross as buffers: Deno takes 120 ns for each element of a typed array that arrives", () => {
  const crossed: unknown[] = [];
  const port = { postMessage: (batch: unknown) => void crossed.push((batch as MessageBatch).row) };
  const outbox = new Outbox<Message>(port, now);
  const data = new Uint8Array([1, 2, 3]);
  const entry = { seq: 1, at: 0, kind: "binary", data } as const;
  const page = { epoch: "e", entries: [entry], next: 1, end: true, gone: false };
  const sent: Message[] = [
    request(1, data),
    settled(2, data),
    { type: "part", upstream: "a", seq: 3, body: data },
    { type: "page", upstream: "a", seq: 4, page },
  ];
  for (const message of sent) outbox.push(message);
  outbox.flush();
  const arrays = (value: unknown): boolean =>
    ArrayBuffer.isView(value) || (typeof value === "object" && value !== null && Object.values(value).some(arrays));
  assert.equal(arrays(crossed), false);
  const taken: Message[] = [];
  unpack<Message>({ at: 0, row: crossed.flat() }, (message) => taken.push(message));
  assert.deepEqual(taken[3], sent[3]);
  assert.deepEqual(taken[2], sent[2]);
});
