import { constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { listen } from "./listener.ts";
import type { Runtime } from "./runtime.ts";
import { startWorker } from "./thread.ts";

/**
 * Their own objects write to a pipe synchronously, and one that nobody reads would hold up everything for ever. Opened
 * anew, the same pipe gets flags of its own, which whoever shares our standard streams does not notice.
 */
function openStream(name: "stdout" | "stderr"): NodeJS.WritableStream {
  let stream: NodeJS.WritableStream = process[name];
  const { fd: standard } = process[name];
  try {
    if (fstatSync(standard).isFIFO()) {
      const fd = openSync(`/proc/self/fd/${standard}`, constants.O_WRONLY | constants.O_NONBLOCK);
      stream = new Socket({ fd, readable: false, writable: true }).unref();
    }
  } catch {
    // No /proc, or nobody reads the pipe: what is there must do.
  }
  // Who writes is told by the callback; without a listener the error would end the process.
  stream.on("error", () => {});
  return stream;
}
const streams: { stdout?: NodeJS.WritableStream; stderr?: NodeJS.WritableStream } = {};

export const runtime: Runtime = {
  name: "node",
  version: process.versions.node,

  listen,

  write(name, bytes) {
    streams[name] ??= openStream(name);
    const stream = streams[name];
    return new Promise((resolve, reject) => {
      stream.write(bytes, (failure) => (failure ? reject(failure) : resolve()));
    });
  },

  async refused() {
    return { net: [], read: [] };
  },

  /** Here `exit` is honest: it comes when the thread is gone. */
  startThread() {
    const { worker, port, exited } = startWorker("node.worker", "");
    return { port, ended: exited, terminate: () => void worker.terminate() };
  },

  /** `process.exit` waits for a thread that is stuck in a native call, and for ever. Only a signal does not. */
  abandon() {
    // As pid 1 of a container the kernel ignores even this signal from within; abort still ends the process.
    if (process.pid !== 1) process.kill(process.pid, "SIGKILL");
    process.abort();
  },
};
