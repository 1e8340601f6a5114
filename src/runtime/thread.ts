/** The start of the sidecar's thread, as far as both runtimes do it alike. */

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { memoryLimit } from "./memory.ts";
import type { ThreadEnd } from "./runtime.ts";

/**
 * The maximum heap of the thread, in MiB, and never more than the process may have. Frames and messages in transit are
 * the bulk of it and have their own bounds; anything that no bound foresaw ends the thread and not the process.
 */
const HEAP_MIB = Math.min(1_024, Math.floor(memoryLimit() / 1024 ** 2));
/** The young generation, in MiB. Frames are short-lived: under a flood, a larger one only takes longer to collect. */
const YOUNG_MIB = 8;

/** The thread's file beside this one: the source, or the bundle, by exactly the words that bundlers look for. */
export function besideThread(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL(import.meta.url.replace(/[^/]+$/, "sidesocket-thread.ts"))
    : new URL("./sidesocket-thread.mjs", import.meta.url);
}

/** A worker begins only with a file or `data:`. A module that Deno has loaded from a registry is neither: import it. */
export function workerEntry(file: URL): URL {
  if (!/^https?:$/.test(file.protocol)) return file;
  return new URL(`data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(file.href)};`)}`);
}

/** Starts a worker of `node:worker_threads` with its own channel. */
export function startWorker(file: URL, lock: string) {
  const { port1, port2 } = new MessageChannel();
  const mark = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(workerEntry(file), {
    name: "sidesocket",
    workerData: { port: port2, lock, mark },
    transferList: [port2],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  let error: string | undefined;
  worker.on("error", (cause: unknown) => {
    error = cause instanceof Error ? cause.message : String(cause);
  });
  /** On Deno this means only that nobody listens to the worker any more, not that its thread is gone. */
  const exited = new Promise<Pick<ThreadEnd, "error">>((resolve) => {
    worker.once("exit", (code) => {
      resolve({ error: error ?? (code === 0 ? undefined : `the thread ended with code ${code}`) });
    });
  });
  return {
    port: port1,
    mark,
    exited,
    terminate: () => void worker.terminate(),
    unref() {
      worker.unref();
      port1.unref();
    },
    ref() {
      worker.ref();
      port1.ref();
    },
  };
}

/**
 * Takes what a thread that is gone posted last, and closes its port: both runtimes may tell the end of a thread while
 * they still hold messages of it, which would be its last replies and the reason of its end.
 */
export function takeLast(port: MessagePort): unknown[] {
  const taken: unknown[] = [];
  for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port)) {
    taken.push(last.message);
  }
  port.close();
  return taken;
}
