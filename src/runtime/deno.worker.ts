import { workerData } from "node:worker_threads";
import { serveThread, type ThreadData } from "../sidecar/thread/worker.ts";
import { holdLock } from "./lock.ts";

/** Held until the thread is gone: this is how the host can tell, and what makes it possible to terminate it. */
await new Promise<void>((held) => {
  holdLock((workerData as ThreadData).lock, () => {
    held();
    return new Promise(() => {});
  });
});

serveThread({});
