/** The file that the sidecar's thread begins with, on both runtimes. */

import { workerData } from "node:worker_threads";
import { serveThread, type ThreadData } from "../sidecar/thread/worker.ts";
import { network as denoNetwork } from "./deno.network.ts";
import { hidingPort } from "./deno.port.ts";
import { holdLockForLife, takePrints } from "./deno.thread.ts";
import { network as nodeNetwork } from "./node.network.ts";

const { port, lock } = workerData as ThreadData;
if ("Deno" in globalThis) {
  holdLockForLife(lock).then(() => serveThread({ port: hidingPort(port), network: denoNetwork, takePrints }));
} else {
  serveThread({ port, network: nodeNetwork });
}
