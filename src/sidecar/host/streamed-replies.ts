/** The host side of replies that are streamed frame by frame. */

import type { Outcome } from "../../core/outcome.ts";
import { weightOf } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ToThread } from "../contract.ts";

/** Reads a streamed reply. Called in the turn in which a frame arrived, and never from within `open`. */
export interface StreamReader {
  /** The request subscribes, and was handed to the socket: its first frame has no deadline. */
  begin(): void;
  /** A frame of the reply, except the last. `taken` must be called with it as soon as it is no longer kept. */
  part(body: Body): void;
  /** The end of the stream: its last frame, or the failure. */
  end(outcome: Outcome): void;
}

export interface OpenStream {
  /** Makes room for as many more frames. */
  taken(frames: readonly Body[]): void;
  /** Must be called once everything has been read, or if nobody reads any more: then the upstream is notified, too. */
  leave(): void;
}

interface Open {
  readonly reader: StreamReader;
  /** Ends the stream if the thread does not; cleared once it has begun. */
  readonly timer: NodeJS.Timeout;
  /** A frame has arrived, so the upstream has the request. */
  answered: boolean;
}

export class StreamedReplies {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #overdueFailure: (seq: number) => Failure;
  readonly #open = new Map<number, Open>();
  /** The streams whose reader has not left: it may hold frames for long after the last has arrived. */
  readonly #read = new Set<number>();

  /** @param overdueFailure gives the failure of a stream that the thread has not begun or ended in time */
  constructor(upstream: string, post: (message: ToThread) => void, overdueFailure: (seq: number) => Failure) {
    this.#upstream = upstream;
    this.#post = post;
    this.#overdueFailure = overdueFailure;
  }

  /** The number of streams that are being read. */
  get size(): number {
    return this.#read.size;
  }

  /** @param withinMs the time to begin in; the thread ends the stream then, or the host `graceMs` later */
  open(seq: number, body: Body, withinMs: number, graceMs: number, reader: StreamReader): OpenStream {
    const upstream = this.#upstream;
    const deadline = performance.now() + withinMs;
    const timer = setTimeout(() => {
      const failure = this.#overdueFailure(seq);
      this.#post({ type: "abandon", upstream, seq });
      this.end(seq, { type: "failed", failure });
    }, withinMs + graceMs);
    this.#read.add(seq);
    this.#open.set(seq, { reader, timer, answered: false });
    this.#post({ type: "request", upstream, seq, kind: "stream", body, deadline });
    return {
      taken: (frames) => {
        const weight = frames.reduce((total, frame) => total + weightOf(frame), 0);
        if (this.#open.has(seq)) this.#post({ type: "taken", upstream, seq, weight });
      },
      leave: () => {
        this.#read.delete(seq);
        if (this.#close(seq)) this.#post({ type: "abandon", upstream, seq });
      },
    };
  }

  begin(seq: number): void {
    const open = this.#open.get(seq);
    clearTimeout(open?.timer);
    open?.reader.begin();
  }

  part(seq: number, body: Body): void {
    const open = this.#open.get(seq);
    if (!open) return;
    open.answered = true;
    clearTimeout(open.timer);
    open.reader.part(body);
  }

  /** @returns false if there is no such stream */
  end(seq: number, outcome: Outcome): boolean {
    const open = this.#close(seq);
    open?.reader.end(outcome);
    return open !== undefined;
  }

  /** Ends every stream, because the exit has begun, and abandons its request. @returns the number of streams */
  stop(): number {
    const count = this.#open.size;
    for (const [seq, { answered }] of [...this.#open]) {
      this.#post({ type: "abandon", upstream: this.#upstream, seq });
      this.end(seq, { type: "failed", failure: { ...stopped, sent: answered ? "yes" : "maybe" } });
    }
    return count;
  }

  failAll(failureOf: (seq: number) => Failure): void {
    for (const [seq, { answered }] of [...this.#open]) {
      const failure = failureOf(seq);
      this.end(seq, { type: "failed", failure: answered ? { ...failure, sent: "yes" } : failure });
    }
  }

  #close(seq: number): Open | undefined {
    const open = this.#open.get(seq);
    if (!open) return undefined;
    clearTimeout(open.timer);
    this.#open.delete(seq);
    return open;
  }
}

const stopped = { code: "cancelled", detail: "the service stopped while the reply was being streamed" } as const;
