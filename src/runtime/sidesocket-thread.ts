/** The file that the sidecar's thread begins with, on both runtimes. */

import { workerData } from "node:worker_threads";
import { serveThread, type ThreadData } from "../sidecar/thread/worker.ts";
import { network as denoNetwork } from "./deno.network.ts";
import { holdLockForLife, takePrints } from "./deno.thread.ts";
import { network as nodeNetwork } from "./node.network.ts";

if ("Deno" in globalThis) {
  const { lock } = workerData as ThreadData;
  holdLockForLife(lock).then(() => serveThread({ network: denoNetwork, takePrints }));
} else {
  serveThread({ network: nodeNetwork });
}
