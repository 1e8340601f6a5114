/** One round trip over a WebSocket, as the libraries call it that make asynchronous functions block. */
import process from "node:process";
import { WebSocket } from "ws";

let opened;

export default async function call(url, message) {
  opened ??= new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once("open", () => resolve(socket)).once("error", reject);
    // The socket must not keep the worker alive after the program.
    process.once("exit", () => socket.terminate());
  });
  const socket = await opened;
  return await new Promise((resolve) => {
    socket.once("message", (data) => resolve(String(data)));
    socket.send(message);
  });
}
