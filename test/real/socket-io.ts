/** npm's `socket.io`: a server with two events and a login. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Cleanup } from "../support/until.ts";
import { load } from "./packages.ts";

interface Socket {
  readonly handshake: { readonly auth: { readonly token?: string } };
  on(event: string, listener: (...args: readonly never[]) => void): void;
  emit(event: string, ...args: readonly unknown[]): void;
}

export interface SocketIoServer {
  use(step: (socket: Socket, next: (error?: Error) => void) => void): void;
  on(event: "connection", listener: (socket: Socket) => void): void;
  readonly sockets: { readonly sockets: ReadonlyMap<string, Socket> };
  disconnectSockets(close: boolean): void;
  close(): Promise<void>;
}

interface SocketIo {
  readonly Server: new (http: ReturnType<typeof createServer>, options: object) => SocketIoServer;
}

export interface SocketIoOptions {
  readonly t: Cleanup;
  /** The login that it takes. */
  readonly token: string;
  /** Milliseconds between pings. */
  readonly pingMs: number;
  /** Milliseconds after a ping until it ends a connection without a pong. */
  readonly pongWithinMs: number;
}

export async function startSocketIo({ t, token, pingMs, pongWithinMs }: SocketIoOptions): Promise<{
  readonly url: string;
  readonly io: SocketIoServer;
}> {
  const { Server } = await load<SocketIo>("socket.io");
  const http = createServer();
  const io = new Server(http, { pingInterval: pingMs, pingTimeout: pongWithinMs });
  io.use((socket, next) => next(socket.handshake.auth.token === token ? undefined : new Error("not you")));
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
