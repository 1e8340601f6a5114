/** The parts of the sidecar's thread that only Deno has. */

import { holdLock } from "./lock.ts";

/** Holds the lock until the thread is gone: the host waits for it, and only a thread with one can be terminated. */
export function holdLockForLife(lock: string): Promise<void> {
  return new Promise((held) => {
    holdLock(lock, () => {
      held();
      return new Promise(() => {});
    });
  });
}

/** The part of Deno's own standard streams by which a module may print. Their types are not among Node's. */
interface DenoStream {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** Takes what a module prints by Deno's own streams. */
export function takePrints(print: (text: string) => void): void {
  const { Deno } = globalThis as unknown as { readonly Deno: Record<"stdout" | "stderr", DenoStream> };
  for (const stream of [Deno.stdout, Deno.stderr]) {
    stream.writeSync = (bytes) => {
      print(new TextDecoder().decode(bytes));
      return bytes.byteLength;
    };
    stream.write = async (bytes) => stream.writeSync(bytes);
  }
}
