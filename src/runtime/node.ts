import { listen } from "./listener.ts";
import type { Runtime } from "./runtime.ts";
import { startWorker } from "./thread.ts";

export const runtime: Runtime = {
  name: "node",
  version: process.versions.node,

  listen,

  async refused() {
    return { net: [], read: [] };
  },

  /** Here `exit` is honest: it comes when the thread is gone. */
  startThread() {
    const { worker, port, exited } = startWorker(new URL("./node.worker.js", import.meta.url), "");
    return { port, ended: exited, terminate: () => void worker.terminate() };
  },

  /** `process.exit` waits for a thread that is stuck in a native call, and for ever. Only a signal does not. */
  abandon() {
    // As pid 1 of a container the kernel ignores even this signal from within; abort still ends the process.
    if (process.pid !== 1) process.kill(process.pid, "SIGKILL");
    process.abort();
  },
};
