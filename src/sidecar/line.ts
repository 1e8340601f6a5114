/** Lines: what a blocking caller, the thread and the host of its upstream know of one. */

// biome-ignore lint/suspicious/noTsIgnore: users without @types/node get `any`, and no error.
/** @ts-ignore Types of Node are optional. */
import type { MessagePort } from "node:worker_threads";
import type { Failure } from "../errors.ts";
import { PLACE_BYTES } from "./slip-place.ts";

/**
 * A blocking caller's own way to the thread: a port, and words in shared memory on which the caller sleeps. Can be
 * posted to another thread, together with its `supply`, and becomes a caller there.
 */
export interface Line {
  /** The upstream, by the name that the thread has for it. */
  readonly upstream: string;
  readonly id: number;
  /** {@link Word}s, 32 bits each, and the line's slips. */
  readonly words: SharedArrayBuffer;
  /**
   * The port to which the host posts a {@link Supply} for each new thread, and from which it takes orders. Nobody ever
   * listens here: Deno 2.9 inverts the order of messages if a port that has a listener is read synchronously.
   */
  readonly supply: MessagePort;
}

/** The name in a worker's data of the lines that `sidesocket run` gives to a script, by the names of the upstreams. */
export const SCRIPT_LINES = "sidesocket";

/** An order of the caller to the host, which answers it by an {@link OrderReply}. */
export type LineOrder =
  /** Adds a subscription, by the JSON of its order, unless the same one is there. */
  | { readonly type: "subscribe"; readonly number: number; readonly name: string; readonly order: string }
  /** Forgets a subscription, which the caller removes on the thread itself. */
  | { readonly type: "unsubscribe"; readonly number: number; readonly name: string };

export interface OrderReply {
  readonly number: number;
  /** True if a subscription was added. */
  readonly created: boolean;
  readonly failure?: Failure | undefined;
}

/** The way of a caller to a thread. */
export interface Supply {
  readonly port: MessagePort;
  /** The number of the thread among those that the line has had, from 1. */
  readonly thread: number;
}

/** Places of the words. */
export const Word = {
  /** Changes whenever there is something to look at. The caller sleeps on it. */
  bell: 0,
  /** The number of threads that the line has had: each gets a port of its own. */
  opened: 1,
  /** The number of those that have ended. */
  ended: 2,
  /** 1 once no new request is taken. */
  closed: 3,
  /** Counts while the thread turns, every {@link BEAT_MS}. */
  beat: 4,
} as const;

/** The bytes of the words, and of some for those to come. The places of the two slips follow. */
export const SLIPS_AT = 32;
export const BEAT_MS = 100;
/** A sleeper wakes at least this often, to see whether the other side still turns. */
export const SLICE_MS = 250;
/** Another side that does not turn for so long hangs. */
export const SILENT_MS = 5_000;

/** Notices by its beats whether the other side of a line turns. */
export class BeatWatch {
  readonly #words: Int32Array;
  #beat: number;
  #changedAt: number;

  constructor(words: Int32Array, now: number) {
    this.#words = words;
    this.#beat = Atomics.load(words, Word.beat);
    this.#changedAt = now;
  }

  /** @returns the milliseconds since the last beat was noticed */
  silentMs(now: number): number {
    const beat = Atomics.load(this.#words, Word.beat);
    if (beat !== this.#beat) [this.#beat, this.#changedAt] = [beat, now];
    return now - this.#changedAt;
  }
}

export function newWords(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLIPS_AT + 2 * PLACE_BYTES);
}

export function ring(words: Int32Array): void {
  Atomics.add(words, Word.bell, 1);
  Atomics.notify(words, Word.bell);
}

/** Wakes the caller because the thread with this number has ended. */
export function end(words: Int32Array, thread: number): void {
  if (Atomics.load(words, Word.ended) < thread) Atomics.store(words, Word.ended, thread);
  ring(words);
}

/**
 * Requests of a line have numbers from this multiple on, so that the thread knows by a number to which line an outcome
 * belongs; those of the host are below it. A line makes fewer requests than that in a century.
 */
const NUMBERS = 2 ** 40;
/** Lines are numbered from 1 to this: a number beyond it would leave none between a request and the next one. */
export const LINE_IDS = 2 ** 53 / NUMBERS - 1;

export function firstNumber(line: number): number {
  return line * NUMBERS;
}

/** The line that numbers its requests so; 0 for the host. */
export function lineOf(seq: number): number {
  return Math.floor(seq / NUMBERS);
}
