import { randomUUID } from "node:crypto";
import { listen } from "./listener.ts";
import { holdLock } from "./lock.ts";
import type { Runtime } from "./runtime.ts";
import { startWorker } from "./thread.ts";

export const runtime: Runtime = {
  name: "deno",
  version: process.versions.deno ?? "",

  listen,

  /**
   * Here `exit` comes at once, whatever the thread does. What is honest is the Web Lock that the thread holds: it is
   * granted to us only when the thread's context is gone. And only a thread that holds one can really be terminated.
   */
  startThread() {
    const lock = `sidesocket-${randomUUID()}`;
    const { worker, port, exited } = startWorker(new URL("./deno.worker.ts", import.meta.url), lock);
    const ended = exited.then(async (end) => {
      await holdLock(lock, async () => {});
      return end;
    });
    return { port, ended, terminate: () => void worker.terminate() };
  },

  /** Here a plain exit does not wait for threads. */
  abandon(code) {
    process.exit(code);
  },
};
