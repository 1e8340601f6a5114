/** The upstream of the soaks, in its own process so that only the product is measured. */
import type { AddressInfo } from "node:net";
import process from "node:process";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data) => {
    const { id, method, params } = JSON.parse(String(data)) as { id: unknown; method: string; params: unknown };
    if (method === "break") socket.terminate();
    else if (method === "close") socket.close(1012);
    else socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
  });
});
server.once("listening", () => {
  process.stdout.write(`listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});

// The parent may be killed, and must not leave this process running.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500);
