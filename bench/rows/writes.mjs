/** The floor of a stream to many readers: writes each message of the upstream to each of their sockets, and no more. */
import { createServer } from "node:http";
import process from "node:process";
import { WebSocket } from "ws";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const readers = new Set();
const upstream = new WebSocket(process.argv[2], { perMessageDeflate: false });
upstream.on("message", (data) => {
  const event = Buffer.from(`event: message\ndata: ${data}\n\n`);
  for (const socket of readers) socket.write(event);
});

const server = createServer((request, response) => {
  if (request.method === "GET") {
    const { socket } = request;
    socket.write(HEAD);
    readers.add(socket.on("error", () => {}).once("close", () => readers.delete(socket)));
  } else {
    request.on("data", (data) => upstream.send(data)).on("end", () => response.end());
  }
});
upstream.once("open", () => {
  server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
});
