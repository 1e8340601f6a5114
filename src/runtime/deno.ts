import { randomUUID } from "node:crypto";
import { dieYoung } from "./deno.server.ts";
import { listen } from "./listener.ts";
import { holdLock } from "./lock.ts";
import type { Runtime } from "./runtime.ts";
import { startWorker } from "./thread.ts";

type PermissionDescriptor = { name: "net"; host: string } | { name: "read"; path: string };

/** Of Deno's own API only this is used; its types are not among Node's. */
interface DenoApi {
  readonly permissions: { query(descriptor: PermissionDescriptor): Promise<{ readonly state: string }> };
  readonly stdout: { write(bytes: Uint8Array): Promise<number> };
  readonly stderr: { write(bytes: Uint8Array): Promise<number> };
}

const { Deno } = globalThis as unknown as { readonly Deno: DenoApi };

export const runtime: Runtime = {
  name: "deno",
  version: process.versions.deno ?? "",

  listen: (options) => listen(options, dieYoung),

  /** `process.stdout` and `process.stderr` block here on a pipe that nobody reads; these neither do, nor hold up the exit. */
  async write(stream, bytes) {
    for (let done = 0; done < bytes.byteLength; ) done += await Deno[stream].write(bytes.subarray(done));
  },

  async refused({ net, read }) {
    const lacking = async <Item>(items: readonly Item[], descriptor: (item: Item) => PermissionDescriptor) => {
      const states = await Promise.all(items.map((item) => Deno.permissions.query(descriptor(item))));
      return items.filter((_item, index) => states[index]?.state !== "granted");
    };
    return {
      net: await lacking(net, (host) => ({ name: "net", host })),
      read: await lacking(read, (path) => ({ name: "read", path })),
    };
  },

  /**
   * Here `exit` comes at once, whatever the thread does. What is honest is the Web Lock that the thread holds: it is
   * granted to us only when the thread's context is gone. And only a thread that holds one can really be terminated.
   */
  startThread() {
    const lock = `sidesocket-${randomUUID()}`;
    const { worker, port, exited } = startWorker("deno.worker", lock);
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
