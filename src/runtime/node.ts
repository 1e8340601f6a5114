/** The runtime Node. */

import { constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { descriptorsMax } from "./descriptors.ts";
import { memoryLimit } from "./memory.ts";
import { network } from "./node.network.ts";
import { ENDING_SIGNALS, type Runtime } from "./runtime.ts";
import { besideThread, startWorker, takeLast } from "./thread.ts";

/**
 * Opens a standard stream so that it never blocks. Node writes to a pipe synchronously: one that nobody reads would
 * block the process. Opened a second time, the same pipe has its own flags, which other owners of the stream do not
 * share.
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
    // There is no /proc, or nobody reads the pipe: use the stream as it is.
  }
  // The writer gets the error by its callback; without a listener it would end the process.
  stream.on("error", () => {});
  return stream;
}
const streams: { stdout?: NodeJS.WritableStream; stderr?: NodeJS.WritableStream } = {};

export const runtime: Runtime = {
  descriptorsMax,
  name: "node",
  version: process.versions.node,

  /** Not SIGUSR1, with which Node opens its inspector. */
  endingSignals: ENDING_SIGNALS,

  /** The HTTP server is loaded by a service only: `sidesocket call` has none. */
  listen: async (options) => (await import("./listener.ts")).listen(options),

  network,

  write(name, bytes) {
    streams[name] ??= openStream(name);
    const stream = streams[name];
    return new Promise((resolve, reject) => {
      stream.write(bytes, (failure) => (failure ? reject(failure) : resolve()));
    });
  },

  get memoryLimit() {
    return memoryLimit();
  },

  async refused() {
    return { net: [], read: [], write: [] };
  },

  /** On Node `exit` is reliable: a worker emits it when its thread is gone. */
  startThread(file = besideThread()) {
    const { exited, ...thread } = startWorker(file, "");
    const ended = exited.then((end) => ({ ...end, last: takeLast(thread.port) }));
    return { ...thread, ended };
  },

  /** `process.exit` waits forever for a thread that is stuck in a native call. Only a signal does not. */
  abandon() {
    // The kernel ignores this signal if pid 1 of a container sends it to itself; abort still ends the process.
    if (process.pid !== 1) process.kill(process.pid, "SIGKILL");
    process.abort();
  },
};
