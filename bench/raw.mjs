/** One request at a time over a plain WebSocket, without any service: the upstream's own share of the time. */
import process from "node:process";
import { WebSocket } from "ws";

const { url, bytes = 100, blob = 0, warmSeconds = 0.5, seconds = 2 } = JSON.parse(process.argv[2]);
const head = `{"jsonrpc":"2.0","id":1,"method":"echo","params":["`;
const message = blob
  ? `{"jsonrpc":"2.0","id":1,"method":"blob","params":[${blob}]}`
  : `${head}${"x".repeat(Math.max(1, bytes - head.length - 3))}"]}`;

const socket = new WebSocket(url, { perMessageDeflate: false });
await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
const began = performance.now();
const times = [];
let sentAt = began;
socket.on("message", () => {
  const now = performance.now();
  const measured = now - began - warmSeconds * 1_000;
  if (measured > 0) times.push(now - sentAt);
  if (measured > seconds * 1_000 && times.length >= 5) {
    times.sort((a, b) => a - b);
    process.stdout.write(`${JSON.stringify({ p50: times[times.length >> 1] })}\n`, () => process.exit(0));
    return;
  }
  sentAt = performance.now();
  socket.send(message);
});
socket.send(message);
