/** The preset socket.io in front of npm's `socket.io`, a server that nobody here wrote. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { load } from "./packages.ts";

interface Socket {
  readonly handshake: { readonly auth: { readonly token?: string } };
  on(event: string, listener: (...args: readonly never[]) => void): void;
  emit(event: string, ...args: readonly unknown[]): void;
}

interface Server {
  use(step: (socket: Socket, next: (error?: Error) => void) => void): void;
  on(event: "connection", listener: (socket: Socket) => void): void;
  readonly sockets: { readonly sockets: ReadonlyMap<string, Socket> };
  disconnectSockets(close: boolean): void;
  close(): Promise<void>;
}

interface SocketIo {
  readonly Server: new (http: ReturnType<typeof createServer>, options: object) => Server;
}

async function startSocketIo(t: Cleanup): Promise<{ readonly url: string; readonly io: Server }> {
  const { Server } = await load<SocketIo>("socket.io");
  const http = createServer();
  // Pings that are not answered within 100 ms end the connection.
  const io = new Server(http, { pingInterval: 100, pingTimeout: 100 });
  io.use((socket, next) => next(socket.handshake.auth.token === "right" ? undefined : new Error("not you")));
  io.on("connection", (socket) => {
    socket.on("add", (a: number, b: number, acknowledge: (sum: number) => void) => acknowledge(a + b));
    socket.on("shout", (text: string) => socket.emit("heard", text.toUpperCase()));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  t.after(() => io.close());
  const { port } = http.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, io };
}

function upstreamAt(url: string, token: string) {
  const reconnect = { from: "20ms", to: "100ms", refused: "1h" };
  return { url, protocol: { preset: "socket.io", auth: JSON.stringify({ token }) }, reconnect };
}

test("events are acknowledged and heard, through a disconnect, and pings are answered", async (t) => {
  const { url, io } = await startSocketIo(t);
  const product = await startProduct({ config: { upstreams: { default: upstreamAt(url, "right") } }, t });
  const add = async (a: number, b: number) => (await product.request(["add", a, b])).json();
  const sums = await Promise.all(Array.from({ length: 50 }, (_, n) => add(n, 1)));
  assert.deepEqual(
    sums,
    sums.map((_, n) => [n + 1]),
  );

  await product.fetch("/v1/upstreams/default/send", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '["shout","hello"]',
  });
  const page = await product.fetch("/v1/upstreams/default/messages?after=earliest&wait=5s");
  const { messages } = (await page.json()) as { messages: readonly { readonly data: unknown }[] };
  assert.deepEqual(messages[0]?.data, ["heard", "HELLO"]);

  const connections = async () => ((await product.state()).counters as { connects: number }).connects;
  const before = await connections();
  // Longer than a connection without pongs lives.
  const { answered } = (await product.state()).counters as { answered: number };
  await until(async () => ((await product.state()).counters as { answered: number }).answered >= answered + 4, {
    what: "four pongs",
  });
  assert.equal(await connections(), before);

  io.disconnectSockets(true);
  await until(async () => (await connections()) > before, { what: "the next connection" });
  await product.ready();
  assert.deepEqual(await add(2, 3), [5]);
});

test("a login that the server refuses is login_refused", async (t) => {
  const { url } = await startSocketIo(t);
  const product = await startProduct({ config: { upstreams: { default: upstreamAt(url, "wrong") } }, t });
  await until(async () => (await product.state()).phase === "refused", { what: "the refusal" });
  const response = await product.request(["add", 1, 1]);
  assert.deepEqual([response.status, response.headers.get("sidesocket-code")], [502, "login_refused"]);
  assert.doesNotMatch(await response.text(), /wrong/);
});
