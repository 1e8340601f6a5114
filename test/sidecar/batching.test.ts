/** Tests of batching and of the message codec, over a real channel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import type { Replied } from "../../src/core/outcome.ts";
import { type MessageBatch, Outbox } from "../../src/sidecar/batching.ts";
import type { FromThread, ToThread } from "../../src/sidecar/contract.ts";
import {
  type Pack,
  packFromThread,
  packToThread,
  type RowFromThread,
  type RowToThread,
  unpackFromThread,
  unpackToThread,
} from "../../src/sidecar/message-codec.ts";
import { UpstreamNumbers } from "../../src/sidecar/upstream-numbers.ts";
import { until } from "../support/until.ts";

const LONG = 64 * 1024;
const now = () => 7;

interface Direction<Message, Row> {
  readonly pack: Pack<Message>;
  unpack(row: Row, take: (message: Message) => void): void;
}

/** One upstream has a number, and the others go by their names. */
const numbers = new UpstreamNumbers();
numbers.add("a");
const toThread: Direction<ToThread, RowToThread> = {
  pack: packToThread(numbers),
  unpack: (row, take) => unpackToThread(row, { numbers, skew: 0 }, take),
};
const fromThread: Direction<FromThread, RowFromThread> = {
  pack: packFromThread(numbers),
  unpack: (row, take) => unpackFromThread(row, numbers, take),
};

/** Sends `messages` in one turn. @returns the batches that arrived, each as its messages */
async function across<Message, Row extends RowToThread | RowFromThread>(
  { pack, unpack }: Direction<Message, Row>,
  messages: readonly Message[],
): Promise<Message[][]> {
  const { port1, port2 } = new MessageChannel();
  const batches: Message[][] = [];
  port2.on("message", (batch: MessageBatch<Row>) => {
    assert.equal(batch.at, 7);
    const received: Message[] = [];
    unpack(batch.row, (message) => received.push(message));
    batches.push(received);
  });
  const outbox = new Outbox(port1, now, pack);
  for (const message of messages) outbox.push(message);
  await until(() => batches.flat().length === messages.length);
  port1.close();
  return batches;
}

const base = { upstream: "a", seq: 0, deadline: 12.5 };
const request = (seq: number, body: string | Uint8Array): ToThread => ({
  ...base,
  type: "request",
  seq,
  kind: "rpc",
  body,
});
const reply = (body: string | Uint8Array): Replied => ({
  type: "reply",
  body,
  isText: false,
  isCut: false,
  queueMs: 1,
  upstreamMs: 2,
});
const settled = (seq: number, body: string | Uint8Array): FromThread => ({
  type: "settled",
  upstream: "a",
  seq,
  outcome: reply(body),
});

test("messages of one turn cross together, in order and unchanged", async () => {
  const commands: ToThread[] = [
    request(1, "text"),
    { type: "abandon", upstream: "a", seq: 1 },
    request(2, new Uint8Array([1, 2])),
    { type: "heartbeat", upstream: "*" },
    ...(["request", "rpc", "send", "confirm", "stream", "bytes"] as const).map(
      (kind, index): ToThread => ({ type: "request", upstream: "b", seq: 3 + index, kind, body: "", deadline: 0 }),
    ),
  ];
  assert.deepEqual(await across(toThread, commands), [commands]);
  const reports: FromThread[] = [
    settled(3, "reply"),
    { type: "settled", upstream: "b", seq: 4, outcome: { type: "done" } },
    { type: "late", upstream: "a", seq: 5, outcome: reply("late") },
    { type: "part", upstream: "a", seq: 6, body: "part" },
    { type: "page", upstream: "a", seq: 7, page: "ahead" },
    { type: "settled", upstream: "a", seq: 8, outcome: { ...reply(new Uint8Array([5])), isText: true } },
    { type: "heartbeat", upstream: "*", lagMs: [0.5, 3] },
  ];
  assert.deepEqual(await across(fromThread, reports), [reports]);
});

test("a message of an upstream that has left is nobody's, also if another has its name", async () => {
  const later = new UpstreamNumbers();
  later.add("b");
  const row: (string | number)[] = [];
  toThread.pack(request(1, "text"), row, []);
  fromThread.pack({ type: "part", upstream: "a", seq: 2, body: "part" }, row, []);
  later.remove("b");
  later.add("a");
  const upstreams: string[] = [];
  unpackToThread(row.slice(0, 6), { numbers: later, skew: 0 }, ({ upstream }) => upstreams.push(upstream));
  unpackFromThread(row.slice(6), later, ({ upstream }) => upstreams.push(upstream));
  assert.deepEqual(upstreams, ["", ""]);
});

test("a deadline is by the receiver's clock once it is unpacked", () => {
  const send: ToThread = { ...base, type: "send", kind: "send", body: "", inSeries: false, over: 0 };
  const row: (string | number)[] = [];
  for (const message of [request(1, "text"), send]) toThread.pack(message, row, []);
  const deadlines: (number | false)[] = [];
  unpackToThread(row, { numbers, skew: -2 }, (message) => deadlines.push("deadline" in message && message.deadline));
  assert.deepEqual(deadlines, [10.5, 10.5]);
});

test("a request with a key crosses as it is, and one without pays nothing for it", async () => {
  const key = { id: "k", digest: "d" };
  const send = { type: "send", upstream: "a", kind: "send", deadline: 1, inSeries: false, over: 0 } as const;
  const commands: ToThread[] = [
    { ...(request(1, new Uint8Array([1, 2])) as ToThread & { type: "request" }), key },
    { ...send, seq: 2, body: "text", key },
    request(3, "text"),
  ];
  assert.deepEqual(await across(toThread, commands), [commands]);
  const columns = (message: ToThread) => {
    const row: unknown[] = [];
    toThread.pack(message, row, []);
    return row.length;
  };
  const keyed: unknown[] = [];
  toThread.pack({ ...send, seq: 4, body: "", key }, keyed, []);
  unpackToThread(keyed as RowToThread, { numbers, skew: -2 }, (message) =>
    assert.deepEqual(message, { ...send, seq: 4, body: "", key, deadline: -1 }),
  );
  assert.deepEqual([columns(request(1, "")), columns({ ...send, seq: 2, body: "" })], [6, 8]);
});

test("a turn with many messages crosses in batches of sixteen", async () => {
  const sent = Array.from({ length: 40 }, (_, seq) => request(seq, "text"));
  const batches = await across(toThread, sent);
  assert.deepEqual(
    batches.map(({ length }) => length),
    [16, 16, 8],
  );
  assert.deepEqual(
    batches.flat().map((message) => "seq" in message && message.seq),
    sent.map((_, seq) => seq),
  );
});

test("a message that is alone is posted at once, unless the batch before had several", async () => {
  const sizes: number[] = [];
  const port = { postMessage: (batch: unknown) => sizes.push((batch as MessageBatch<RowToThread>).row.length) };
  const outbox = new Outbox(port, now, toThread.pack);
  const alone = () => outbox.push({ type: "heartbeat", upstream: "*" }, true);
  alone();
  alone();
  assert.deepEqual(sizes.splice(0), [1, 1]);
  outbox.push({ type: "heartbeat", upstream: "*" });
  alone();
  assert.deepEqual(sizes.splice(0), [2]);
  alone();
  assert.deepEqual(sizes, []);
  await until(() => sizes.length > 0);
  alone();
  assert.deepEqual(sizes, [1, 1]);
});

test("a long text crosses as bytes marked as text; a view crosses without the rest of its buffer", async () => {
  const long = "ü".repeat(LONG);
  const view = new Uint8Array(1_000_000).subarray(10, 10 + LONG).fill(3);
  const sent = [settled(1, long), settled(2, "x".repeat(LONG - 1)), settled(3, view)];
  const [batch = []] = await across(fromThread, sent);
  const outcomes = batch.map((message) => (message as { outcome: Replied }).outcome);
  assert.deepEqual(
    outcomes.map(({ isText }) => isText),
    [true, false, false],
  );
  assert.equal(new TextDecoder().decode(outcomes[0]?.body as Uint8Array), long);
  assert.equal(typeof outcomes[1]?.body, "string");
  const bytes = outcomes[2]?.body as Uint8Array;
  assert.deepEqual([bytes.byteLength, bytes.buffer.byteLength, bytes[0]], [LONG, LONG, 3]);
  assert.equal(view.byteLength, LONG, "the view's owner still has its bytes");
});

test("the bytes of a request stay with its caller", async () => {
  const whole = new Uint8Array(2 * LONG).fill(4);
  const [batch = []] = await across(toThread, [request(1, whole), request(2, whole)]);
  for (const message of batch) assert.deepEqual((message as { body: Uint8Array }).body, whole);
  assert.equal(whole.byteLength, 2 * LONG);
});

test("bytes cross as buffers: Deno takes 120 ns for each element of a typed array that arrives", () => {
  const data = new Uint8Array([1, 2, 3]);
  const entry = { seq: 1, at: 0, kind: "binary", data } as const;
  const page = { epoch: "e", entries: [entry], next: 1, end: true, gone: false };
  const sent: FromThread[] = [
    settled(2, data),
    { type: "part", upstream: "a", seq: 3, body: data },
    { type: "page", upstream: "a", seq: 4, page },
  ];
  const commands: unknown[] = [];
  toThread.pack(request(1, data), commands, []);
  const row: unknown[] = [];
  for (const message of sent) fromThread.pack(message, row, []);
  const hasView = (value: unknown): boolean =>
    ArrayBuffer.isView(value) || (typeof value === "object" && value !== null && Object.values(value).some(hasView));
  assert.equal(hasView([commands, row]), false);
  const received: FromThread[] = [];
  fromThread.unpack(row as RowFromThread, (message) => received.push(message));
  assert.deepEqual(received, sent);
});

test("a row that does not fit the contract is refused, with the column", () => {
  const begun: (string | number)[] = [];
  toThread.pack(request(1, "text"), begun, []);
  const reported: (string | number)[] = [];
  fromThread.pack(settled(1, "text"), reported, []);
  const [settledNumber] = reported;
  const rows: [RowToThread, RegExp][] = [
    [["unheard-of"], /column 0 is not the beginning of a message/],
    [[99], /column 0 is not the beginning of a message/],
    [[...begun.slice(0, 1), true], /column 1 is not an upstream/],
    [[...begun.slice(0, 2), "one"], /column 2 is not a number/],
    [[...begun.slice(0, 3), "rpc"], /column 3 is not a number/],
    [[...begun.slice(0, 3), 99], /column 3 is not a kind of request/],
    // The number of `settled`, a type.
    [[...begun.slice(0, 3), settledNumber ?? ""], /column 3 is not a kind of request/],
    [begun.slice(0, 4), /column 4 is not text or bytes/],
  ];
  for (const [row, message] of rows) {
    assert.throws(() => toThread.unpack(row, () => assert.fail("unpacked")), { name: "TypeError", message });
  }
});
