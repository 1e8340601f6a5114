/** The entry of the sidecar's thread on Deno. */

import { workerData } from "node:worker_threads";
import { serveThread, type ThreadData } from "../sidecar/thread/worker.ts";
import { network } from "./deno.network.ts";
import { holdLock } from "./lock.ts";

// Hold the lock until the thread is gone: the host waits for it, and only a thread that holds one can be terminated.
await new Promise<void>((held) => {
  holdLock((workerData as ThreadData).lock, () => {
    held();
    return new Promise(() => {});
  });
});

serveThread({ network });
