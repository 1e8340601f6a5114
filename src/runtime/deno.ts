/** The runtime Deno. */

import { randomUUID } from "node:crypto";
import { network } from "./deno.network.ts";
import { hidingPort, shownMessage } from "./deno.port.ts";
import { postponeRequestTimeout, reuseConnectionEntries } from "./deno.server.ts";
import { watchAccepting } from "./deno.watch.ts";
import { descriptorsMax } from "./descriptors.ts";
import { holdLock } from "./lock.ts";
import { memoryLimit } from "./memory.ts";
import { ENDING_SIGNALS, type Runtime } from "./runtime.ts";
import { besideThread, startWorker, takeLast } from "./thread.ts";

type PermissionDescriptor = { name: "net"; host: string } | { name: "read" | "write"; path: string };

/** The part of Deno's own API that is used. Its types are not among Node's. */
interface DenoApi {
  readonly permissions: { query(descriptor: PermissionDescriptor): Promise<{ readonly state: string }> };
  readonly stdout: { write(bytes: Uint8Array): Promise<number> };
  readonly stderr: { write(bytes: Uint8Array): Promise<number> };
}

const { Deno } = globalThis as unknown as { readonly Deno: DenoApi };

export const runtime: Runtime = {
  descriptorsMax,
  name: "deno",
  version: process.versions.deno ?? "",

  /** On Deno, SIGUSR1 ends a process that has just started, and later opens the inspector, which is not to stay. */
  endingSignals: [...ENDING_SIGNALS, "SIGUSR1"],

  async listen(options) {
    const { listen } = await import("./listener.ts");
    return listen(options, {
      onListening(server) {
        reuseConnectionEntries(server);
        watchAccepting(server, options.onDeaf);
      },
      postpone: postponeRequestTimeout,
    });
  },

  /** On Deno, `process.stdout` and `process.stderr` block on a pipe that nobody reads; Deno's own streams do not. */
  async write(stream, bytes) {
    for (let done = 0; done < bytes.byteLength; ) done += await Deno[stream].write(bytes.subarray(done));
  },

  get memoryLimit() {
    return memoryLimit();
  },

  async refused({ net, read, write }) {
    const lacking = async <Item>(items: readonly Item[], descriptor: (item: Item) => PermissionDescriptor) => {
      const states = await Promise.all(items.map((item) => Deno.permissions.query(descriptor(item))));
      return items.filter((_item, index) => states[index]?.state !== "granted");
    };
    return {
      net: await lacking(net, (host) => ({ name: "net", host })),
      read: await lacking(read, (path) => ({ name: "read", path })),
      write: await lacking(write, (path) => ({ name: "write", path })),
    };
  },

  network,

  /**
   * On Deno a worker emits `exit` at once, whatever its thread does. The Web Lock that the thread holds is reliable: it
   * is granted to us only when the thread's context is gone. Besides, only a thread that holds one can be terminated.
   */
  startThread(file = besideThread()) {
    const lock = `sidesocket-${randomUUID()}`;
    const { exited, port, ...thread } = startWorker(file, lock);
    const ended = exited.then(async (end) => {
      await holdLock(lock, async () => {});
      return { ...end, last: takeLast(port).map(shownMessage) };
    });
    return { ...thread, port: hidingPort(port), ended };
  },

  /** On Deno a plain exit does not wait for threads. */
  abandon(code) {
    process.exit(code);
  },
};
