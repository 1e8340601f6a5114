/** The recorder, which turns what connections exchange into lines, and ends when it holds enough. */

import { deferred } from "../core/util/deferred.ts";
import type { TapeEntry } from "../sidecar/contract.ts";
import type { Tape } from "../sidecar/host/upstream-client.ts";
import { entryLine, type RecordingEntry, type RecordingHead } from "./recording-format.ts";

/** The reasons why a recording ends by itself. */
export type RecordingEnd = "bytes" | "time" | "unread";

const encoder = new TextEncoder();

/** The place that is kept for the last line. */
const LAST_LINE_BYTES = 128;

export class Recorder implements Tape {
  readonly bytes: number;
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #began = Date.now();
  readonly #over = deferred<RecordingEnd>();
  /** The numbers of open connections in the recording: a thread that replaces another counts from 1 again. */
  readonly #numbers = new Map<number, number>();
  #connections = 0;
  #left: number;
  #at = 0;
  #isOver = false;
  #why: RecordingEnd | undefined;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;

  /** @param write resolves when the bytes were taken; rejects if nobody reads any more */
  constructor(bytes: number, head: Omit<RecordingHead, "started">, write: (bytes: Uint8Array) => Promise<void>) {
    this.bytes = bytes;
    this.#write = write;
    const first = JSON.stringify({ ...head, started: new Date(this.#began).toISOString() });
    this.#left = bytes - encoder.encode(first).length - LAST_LINE_BYTES;
    this.#line(first);
  }

  /** Resolves with the reason when it takes no more. */
  get over(): Promise<RecordingEnd> {
    return this.#over.promise;
  }

  onEntry(entry: TapeEntry): void {
    if (this.#isOver) return;
    // The system's clock may be set back.
    this.#at = Math.max(this.#at, entry.at - this.#began);
    if (entry.event === "full") {
      this.#stop("bytes");
      return;
    }
    const line = entryLine(this.#numbered({ ...entry, at: this.#at }));
    this.#left -= encoder.encode(line).length + 1;
    if (this.#left < 0) this.#stop("bytes");
    else this.#line(line);
  }

  /** Asks for the end. What comes until then is recorded, too. */
  finish(why: RecordingEnd): void {
    this.#why ??= why;
    this.#over.resolve(why);
  }

  /** Writes the last line. Resolves when all lines were taken, or nobody reads them. */
  async end(cause: string): Promise<void> {
    this.#isOver = true;
    const why = this.#why ?? cause;
    this.#line(entryLine({ at: Math.max(this.#at, Date.now() - this.#began), event: "end", why }));
    await this.#writing;
  }

  #stop(why: RecordingEnd): void {
    this.#isOver = true;
    this.finish(why);
  }

  #numbered(entry: Exclude<TapeEntry, { event: "full" }>): RecordingEntry {
    if (entry.event === "failed") return entry;
    if (entry.event === "open") this.#numbers.set(entry.connection, ++this.#connections);
    const connection = this.#numbers.get(entry.connection) ?? this.#connections;
    if (entry.event === "close") this.#numbers.delete(entry.connection);
    return { ...entry, connection };
  }

  #line(line: string): void {
    this.#waiting.push(`${line}\n`);
    this.#writing ??= this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#write(encoder.encode(this.#waiting.splice(0).join("")));
      this.#writing = undefined;
    } catch {
      this.#stop("unread");
    }
  }
}
