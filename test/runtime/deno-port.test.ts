/** Tests of the port that hides its messages from Deno's search for ports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { hidingPort } from "../../src/runtime/deno.port.ts";
import { until } from "../support/until.ts";

/** A channel with both ends hidden, and what arrives at the second. */
function channel() {
  const { port1, port2 } = new MessageChannel();
  const received: unknown[] = [];
  hidingPort(port2).on("message", (message) => received.push(message));
  return { sender: hidingPort(port1), received, end: () => port1.close() };
}

test("messages arrive as they were sent, in order, with the bytes that are transferred", async () => {
  const { sender, received, end } = channel();
  const bytes = new Uint8Array([1, 2]).buffer;
  const sent = [{ at: 1, row: ["text", 2, true] }, [{ deep: [1] }], "text"];
  for (const message of sent) sender.postMessage(message);
  sender.postMessage({ bytes }, [bytes]);
  await until(() => received.length === sent.length + 1);
  assert.deepEqual(received.slice(0, -1), sent);
  assert.deepEqual(received.at(-1), { bytes: new Uint8Array([1, 2]).buffer });
  assert.equal(bytes.byteLength, 0, "it was transferred");
  end();
});

test("a port that is sent has the methods of Node's", async () => {
  const { sender, received, end } = channel();
  const { port1, port2 } = new MessageChannel();
  sender.postMessage({ row: [{ port: port2 }] }, [port2]);
  await until(() => received.length === 1);
  const [{ row }] = received as [{ row: [{ port: MessagePort }] }];
  const heard: unknown[] = [];
  row[0].port.on("message", (message) => heard.push(message));
  port1.postMessage("hello");
  await until(() => heard.length === 1);
  assert.deepEqual(heard, ["hello"]);
  port1.close();
  end();
});

test("every message without a port is hidden, with bytes or without", async () => {
  const { port1, port2 } = new MessageChannel();
  const shown: unknown[] = [];
  port2.on("message", (message) => shown.push(message));
  const bytes = new Uint8Array([1, 2]).buffer;
  const sender = hidingPort(port1);
  sender.postMessage(["text"]);
  sender.postMessage([bytes], [bytes]);
  await until(() => shown.length === 2);
  assert.ok(shown.every((message) => message instanceof Map));
  port1.close();
});
