import type { Outcome } from "../../core/outcome.ts";
import { weightOf } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ToThread } from "../contract.ts";

/** The host side of replies that are handed on frame by frame: who gets the frames of which. */

/** Who reads. Told in the turn in which it came; never from within `open`. */
export interface StreamReader {
  /** It subscribes, and was handed to the socket: nothing says when the first frame comes. */
  begin(): void;
  /** A frame of the reply, and not the last. `taken` must be called with it as soon as it is not kept any more. */
  part(body: Body): void;
  /** Nothing comes any more: the last frame, or why there is none. */
  end(outcome: Outcome): void;
}

export interface OpenStream {
  /** These frames were read: there is room for more. */
  taken(frames: readonly Body[]): void;
  /** Must be called once everything has been read, or nobody reads any more: that the upstream is told, too. */
  leave(): void;
}

interface Open {
  readonly reader: StreamReader;
  /** Ends it when the thread does not: only until it has begun. */
  readonly timer: NodeJS.Timeout;
  /** A frame is there, so the upstream has the message. */
  answered: boolean;
}

export class StreamedReplies {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #outOfTime: (seq: number) => Failure;
  readonly #open = new Map<number, Open>();
  /** All whose reader has not left: it may hold frames for long after the last has come. */
  readonly #read = new Set<number>();

  /** `outOfTime`: how one fails that has not begun in time. */
  constructor(upstream: string, post: (message: ToThread) => void, outOfTime: (seq: number) => Failure) {
    this.#upstream = upstream;
    this.#post = post;
    this.#outOfTime = outOfTime;
  }

  /** How many are being read. */
  get size(): number {
    return this.#read.size;
  }

  /** `withinMs`: it must have begun by then; the thread sees to it, and we somewhat later if it does not. */
  open(seq: number, body: Body, withinMs: number, graceMs: number, reader: StreamReader): OpenStream {
    const upstream = this.#upstream;
    const deadline = performance.now() + withinMs;
    const timer = setTimeout(() => {
      const failure = this.#outOfTime(seq);
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

  /** @returns whether there was such a stream */
  end(seq: number, outcome: Outcome): boolean {
    const open = this.#close(seq);
    open?.reader.end(outcome);
    return open !== undefined;
  }

  /** The exit has begun: every reader gets its end, and the upstream is told. @returns how many there were */
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
