/**
 * Many readers of one journal as server-sent events.
 *
 * Counts the deliveries to all of them within a window, and reads the service's CPU time at both ends. The argument is
 * the job: { url, path, readers, seconds, pid }.
 */
import { connect } from "node:net";
import process from "node:process";
import { cpuMicros, memory } from "./os.mjs";

const { url, path, readers, seconds, pid } = JSON.parse(process.argv[2]);
const { hostname, port } = new URL(url);
const request = `GET ${path}?after=latest HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\n\r\n`;
const CONNECT_TOGETHER = 50;
const WARM_MS = 1_000;
const buffer = Buffer.allocUnsafe(64 * 1024);
const MARK = "event: message";

let delivered = 0;
function read(size) {
  const bytes = buffer.subarray(0, size);
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + MARK.length)) delivered++;
  return true;
}

const open = () =>
  new Promise((resolve, reject) => {
    const onread = { buffer, callback: (size) => resolve() ?? read(size) };
    const socket = connect({ host: hostname, port: Number(port), onread }, () => socket.write(request));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("a reader was cut")));
  });
for (let left = readers; left > 0; left -= CONNECT_TOGETHER) {
  await Promise.all(Array.from({ length: Math.min(left, CONNECT_TOGETHER) }, open));
}
await new Promise((resolve) => setTimeout(resolve, WARM_MS));

const reading = () => ({
  at: performance.now(),
  delivered,
  cpu: cpuMicros(pid),
  main: cpuMicros(pid, { mainThread: true }),
});
const before = reading();
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const after = reading();
const deliveries = after.delivered - before.delivered;
if (deliveries === 0) {
  process.stderr.write("nothing was delivered within the window\n");
  process.exit(1);
}
const figures = {
  perSecond: deliveries / ((after.at - before.at) / 1_000),
  cpu: (after.cpu - before.cpu) / deliveries,
  mainCpu: (after.main - before.main) / deliveries,
  memory: memory(pid),
};
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
