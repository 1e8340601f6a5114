/** The keeper of a sidecar as the thread sees it that blocks on it: questions, each with one reply. */

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type Failure, refused, SidesocketError } from "./errors.ts";
import type { KeptOptions } from "./library/sidecar-options.ts";
import { findThreadFile } from "./library/thread-files.ts";
import { besideThread, workerEntry } from "./runtime/thread.ts";
import type { ExitReport } from "./sidecar/exit-report.ts";
import { BeatWatch, type Line, newWords, SILENT_MS, SLICE_MS, Word } from "./sidecar/line.ts";
import type { UpstreamState } from "./sidecar/reports.ts";

export interface KeeperData {
  readonly options: KeptOptions;
  readonly port: MessagePort;
  /** The words of a line, of which the keeper rings the bell, beats, and ends. */
  readonly words: SharedArrayBuffer;
}

export type KeeperRequest =
  | { readonly type: "line" }
  | { readonly type: "state" }
  | { readonly type: "exit"; readonly cause: string; readonly force: boolean };

export type KeeperReply =
  /** Also the first message, once the sidecar has started. */
  | { readonly type: "line"; readonly line: Line }
  | { readonly type: "state"; readonly state: UpstreamState & { readonly since: Date } }
  | { readonly type: "exited"; readonly report: ExitReport }
  | { readonly type: "failed"; readonly failure: Failure };

/** The keeper's file beside this one: the source, or the bundle, by exactly the words that bundlers look for. */
function besideKeeper(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL(import.meta.url.replace(/[^/]+$/, "sidesocket-keeper.ts"))
    : new URL("./sidesocket-keeper.mjs", import.meta.url);
}

/** The keeper loads the library and starts a thread, both on a machine that may be busy. */
const START_WITHIN_MS = 60_000;

export class Keeper {
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  /** The line with which it began. */
  readonly line: Line;

  /** Starts the keeper, and sleeps until its sidecar has started. @throws SidesocketError if it cannot */
  constructor({ keeperFile, ...options }: KeptOptions) {
    const file = findThreadFile("keeperFile", keeperFile, besideKeeper);
    const threadFile = findThreadFile("threadFile", options.threadFile, besideThread).href;
    const { port1, port2 } = new MessageChannel();
    const words = newWords();
    this.#port = port1;
    this.#words = new Int32Array(words);
    const data: KeeperData = { options: { ...options, threadFile }, port: port2, words };
    const worker = start(file, data);
    // Its end is known by its words. Without a listener its errors would end the program.
    worker.on("error", () => {});
    worker.unref();
    this.line = this.#reply("line", START_WITHIN_MS).line;
  }

  /** Asks for something, and sleeps until it is there. */
  ask<Type extends "line" | "state">(type: Type): Extract<KeeperReply, { type: Type }> {
    this.#port.postMessage({ type } satisfies KeeperRequest);
    return this.#reply(type, START_WITHIN_MS);
  }

  /** Runs the exit, whose steps are bounded themselves. */
  exit(cause: string, force: boolean): ExitReport {
    this.#port.postMessage({ type: "exit", cause, force } satisfies KeeperRequest);
    return this.#reply("exited", Number.POSITIVE_INFINITY).report;
  }

  #reply<Type extends KeeperReply["type"]>(type: Type, withinMs: number): Extract<KeeperReply, { type: Type }> {
    const began = performance.now();
    const beats = new BeatWatch(this.#words, began);
    for (;;) {
      const bell = Atomics.load(this.#words, Word.bell);
      const hasEnded = Atomics.load(this.#words, Word.ended) > 0;
      const found = receiveMessageOnPort(this.#port) as { readonly message: KeeperReply } | undefined;
      if (found) return demandType(found.message, type);
      if (hasEnded) throw refused("sidecar_crashed", "the sidecar's keeper has ended");
      const now = performance.now();
      // It beats only once its modules are loaded.
      const silentMs = Atomics.load(this.#words, Word.beat) === 0 ? START_WITHIN_MS : SILENT_MS;
      if (beats.silentMs(now) >= silentMs || now - began >= withinMs) {
        throw refused("sidecar_crashed", `the sidecar's keeper did not respond for ${silentMs / 1_000} s`);
      }
      Atomics.wait(this.#words, Word.bell, bell, SLICE_MS);
    }
  }
}

function demandType<Type extends KeeperReply["type"]>(reply: KeeperReply, type: Type) {
  if (reply.type === "failed") throw new SidesocketError(reply.failure);
  if (reply.type !== type) throw new TypeError(`the keeper replied with ${reply.type} instead of ${type}`);
  return reply as Extract<KeeperReply, { type: Type }>;
}

function start(entry: URL, data: KeeperData): Worker {
  try {
    return new Worker(workerEntry(entry), {
      name: "sidesocket-keeper",
      workerData: data,
      transferList: [data.port],
    });
  } catch (error) {
    // Options cross to another thread: functions cannot.
    throw refused("invalid_config", `the options cannot be given to another thread: ${(error as Error).message}`);
  }
}
