import { MessageChannel, Worker } from "node:worker_threads";
import type { ThreadEnd } from "./runtime.ts";

/**
 * The heap of the thread, in MiB. Frames and messages in transit are its only large tenants and have bounds of their
 * own; this one is for what no bound foresaw, so that it ends the thread and not the process.
 */
const HEAP_MIB = 1_024;
/** Frames pass through and are gone: under a flood a larger nursery is only filled, and looked through later. */
const YOUNG_MIB = 8;

/** What is alike on both runtimes: `node:worker_threads` with a channel of our own. */
export function startWorker(entry: string, lock: string) {
  const { port1, port2 } = new MessageChannel();
  // The compiler renames what is imported, but not this: the entry stands beside us, as source or as built.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const worker = new Worker(new URL(`./${entry}${extension}`, import.meta.url), {
    name: "sidesocket",
    workerData: { port: port2, lock },
    transferList: [port2],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  let error: string | undefined;
  worker.on("error", (cause: unknown) => {
    error = cause instanceof Error ? cause.message : String(cause);
  });
  /** On Deno this says only that nobody listens to the worker any more, not that its thread is gone. */
  const exited = new Promise<ThreadEnd>((resolve) => {
    worker.once("exit", (code) => {
      port1.close();
      resolve({ error: error ?? (code === 0 ? undefined : `the thread ended with code ${code}`) });
    });
  });
  return { worker, port: port1, exited };
}
