/**
 * A program that prints how many bytes of a request outlive the next small collections, and how many of the requests
 * are still held by connections that wait for their next one. It needs `--expose-gc`.
 */

import { connect } from "node:net";
import process from "node:process";
import { runtime } from "../../src/runtime/pick-runtime.ts";

/** The size of the array that each request holds, in numbers of eight bytes. */
const HELD = 2_000;
const CONNECTIONS = 64;
const WARM_UP = 500;
const REQUESTS = 2_000;

const gc = (globalThis as { gc?: (options?: { type: "minor" }) => void }).gc ?? process.exit(2);

/** The last request of each connection among them. */
const newest: WeakRef<object>[] = [];

const { port } = await runtime.listen({
  async fetch(_request, env) {
    const { incoming } = env as { incoming: object };
    Object.assign(incoming, { held: new Array(HELD).fill(0.5) });
    newest.push(new WeakRef(incoming));
    if (newest.length > CONNECTIONS) newest.shift();
    await new Promise((resolve) => setImmediate(resolve));
    return new Response("{}");
  },
  host: "127.0.0.1",
  port: 0,
  keepAliveMs: 60_000,
  connectionsMax: CONNECTIONS,
  onFull: () => process.exit(3),
  onDeaf: () => {},
  lastResponse: "",
  refusal: (status: number) => ({ status, reason: "", headers: {}, body: "" }),
});

const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, "127.0.0.1").setEncoding("latin1"));

/** Sends `count` requests over all connections, each after the response before it. */
async function sendRequests(count: number): Promise<void> {
  let left = count;
  const last = (text: string) => text.endsWith("{}");
  await Promise.all(
    sockets.map(async (socket) => {
      while (left-- > 0) {
        socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
        for (let text = ""; !last(text); ) text += await new Promise<string>((resolve) => socket.once("data", resolve));
      }
    }),
  );
}

await sendRequests(WARM_UP);
gc();
// Objects that survive two small collections have grown old.
for (let time = 0; time < 2; time++) gc({ type: "minor" });
await sendRequests(REQUESTS);
for (let time = 0; time < 3; time++) gc({ type: "minor" });
const before = process.memoryUsage().heapUsed;
gc();
const left = Math.round((before - process.memoryUsage().heapUsed) / REQUESTS);
console.log(left, newest.filter((request) => request.deref() !== undefined).length);
process.exit(0);
