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

/** The part of Deno's own standard streams by which a module may print. Their types are not among Node's. */
interface DenoStream {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

serveThread({
  network,
  takePrints(print) {
    const { Deno } = globalThis as unknown as { readonly Deno: Record<"stdout" | "stderr", DenoStream> };
    for (const stream of [Deno.stdout, Deno.stderr]) {
      stream.writeSync = (bytes) => {
        print(new TextDecoder().decode(bytes));
        return bytes.byteLength;
      };
      stream.write = async (bytes) => stream.writeSync(bytes);
    }
  },
});
