/**
 * The upstreams of the attack, in a process of their own: they do as little as they can, and keep nothing of what they
 * receive, so that an hour of the attack shows what the service costs and not what they do.
 *
 * Prints the port. Each path answers, but for `/pongs`, which floods with control frames.
 */
import { Buffer } from "node:buffer";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { type WebSocket, WebSocketServer } from "ws";
import { encodeFrame, OPCODE } from "../faults/frames.ts";
import { MIB } from "./scene.ts";

const LEVELS = 1_000_000;
/** Results by method, each with the brace that ends its reply. */
const RESULTS: Readonly<Record<string, Buffer>> = {
  nested: Buffer.from(`${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}}`),
  large: Buffer.from(`[${"1,".repeat(MIB)}1]}`),
  deep: Buffer.from(`${'{"x":'.repeat(100_000)}1${"}".repeat(100_000)}}`),
};
const MESSAGE = Buffer.from(JSON.stringify({ pad: Array(200).fill(1), v: { name: "a" } }));
const LARGE_MESSAGE = Buffer.from(`"${"x".repeat(MIB)}"`);
const NOTE = Buffer.from(`{"jsonrpc":"2.0","method":"note","params":"${"x".repeat(MIB)}"}`);
const PONG = encodeFrame({ opcode: OPCODE.pong, payload: "", fin: true });
const PONGS = Buffer.concat(Array.from({ length: 2_000 }, () => PONG));
/** The longest request that is looked into; the attack's longer ones are not to be answered. */
const READ_BYTES = 10_000;

function answer(socket: WebSocket, message: Buffer): void {
  if (message.length > READ_BYTES) return;
  const { id, method, params } = JSON.parse(String(message));
  if (method === "never" || id === undefined) return;
  const send = (frame: Buffer) => socket.send(frame, { binary: false });
  if (method === "push") for (let n = 0; n < 500; n++) send(MESSAGE);
  if (method === "pushLarge") send(LARGE_MESSAGE);
  if (method === "note") send(NOTE);
  const result = RESULTS[method] ?? Buffer.from(`${JSON.stringify(params ?? true)}}`);
  send(Buffer.concat([Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`), result]));
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket: WebSocket, { url, socket: tcp }) => {
  socket.on("error", () => {});
  if (url === "/pongs") {
    const flood = (): void => {
      if (!tcp.destroyed) tcp.write(PONGS, () => setImmediate(flood));
    };
    tcp.on("error", () => {});
    flood();
  } else {
    socket.on("message", (message: Buffer) => answer(socket, message));
  }
});
server.on("listening", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
