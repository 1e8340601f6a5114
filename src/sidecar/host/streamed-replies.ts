/** The host side of replies that are streamed frame by frame. */

import { stalled } from "../../core/exchange/failures.ts";
import { type Outcome, type StreamKind, weightOf } from "../../core/outcome.ts";
import type { TraceContext } from "../../core/util/traceparent.ts";
import { TransientMap, TransientSet } from "../../core/util/transient.ts";
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ToThread } from "../contract.ts";
import { PatientTimer } from "../patient-timer.ts";

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

/** A request whose reply is streamed. */
export interface StreamedRequest {
  /** By default `stream`. */
  readonly kind?: StreamKind | undefined;
  readonly body: Body;
  /** The time to begin in, in milliseconds. */
  readonly timeoutMs: number;
  /** The trace that the caller's request is a part of, if it says so. */
  readonly trace?: TraceContext | undefined;
  /** The longest pause that the caller accepts before a frame, once the stream has begun; by default any. */
  readonly idleMs?: number | undefined;
}

interface Open {
  readonly reader: StreamReader;
  readonly idleMs: number | undefined;
  /** Ends the stream if it does not begin in time, then if its caller's `idleMs` has passed without a frame. */
  timer: PatientTimer | undefined;
  /** How many frames have arrived. With the first one it is certain that the upstream has the request. */
  frames: number;
  readonly onEnd: ReturnType<OnBegin>;
}

/** Returns the function that is called with the stream's outcome, or without one if its reader has left. */
type OnBegin = (trace: TraceContext | undefined) => (outcome: Outcome | undefined) => void;

export class StreamedReplies {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #overdueFailure: (seq: number) => Failure;
  readonly #onBegin: OnBegin;
  readonly #open = new TransientMap<number, Open>();
  /** The streams whose reader has not left: it may hold frames for long after the last has arrived. */
  readonly #read = new TransientSet<number>();

  /**
   * @param overdueFailure gives the failure of a stream that the thread has not begun or ended in time
   * @param onBegin called for each stream
   */
  constructor(
    upstream: string,
    post: (message: ToThread) => void,
    overdueFailure: (seq: number) => Failure,
    onBegin: OnBegin = () => () => {},
  ) {
    this.#onBegin = onBegin;
    this.#upstream = upstream;
    this.#post = post;
    this.#overdueFailure = overdueFailure;
  }

  /** The number of streams that are being read. */
  get size(): number {
    return this.#read.size;
  }

  /** @param graceMs if the thread has not ended the stream that long after its time to begin, the host does */
  open(
    seq: number,
    { kind = "stream", body, timeoutMs, trace, idleMs }: StreamedRequest,
    graceMs: number,
    reader: StreamReader,
  ): OpenStream {
    const upstream = this.#upstream;
    const deadline = performance.now() + timeoutMs;
    const timer = new PatientTimer(() => this.#giveUp(seq, this.#overdueFailure(seq)), timeoutMs + graceMs);
    this.#read.add(seq);
    this.#open.set(seq, { reader, idleMs, timer, frames: 0, onEnd: this.#onBegin(trace) });
    this.#post({ type: "request", upstream, seq, kind, body, deadline });
    return {
      taken: (frames) => {
        const weight = frames.reduce((total, frame) => total + weightOf(frame), 0);
        if (this.#open.has(seq)) this.#post({ type: "taken", upstream, seq, weight });
      },
      leave: () => {
        this.#read.delete(seq);
        const open = this.#close(seq);
        if (!open) return;
        open.onEnd(undefined);
        this.#post({ type: "abandon", upstream, seq });
      },
    };
  }

  begin(seq: number): void {
    const open = this.#open.get(seq);
    if (!open) return;
    this.#awaitFrame(seq, open);
    open.reader.begin();
  }

  part(seq: number, body: Body): void {
    const open = this.#open.get(seq);
    if (!open) return;
    open.frames++;
    this.#awaitFrame(seq, open);
    open.reader.part(body);
  }

  /** Gives the next frame its time. */
  #awaitFrame(seq: number, open: Open): void {
    const { idleMs, frames } = open;
    open.timer?.clear();
    if (idleMs === undefined) return;
    open.timer = new PatientTimer(() => this.#giveUp(seq, stalled(frames, idleMs, "idle")), idleMs);
  }

  #giveUp(seq: number, failure: Failure): void {
    this.#post({ type: "abandon", upstream: this.#upstream, seq });
    this.end(seq, { type: "failed", failure });
  }

  /** @returns false if there is no such stream */
  end(seq: number, outcome: Outcome): boolean {
    const open = this.#close(seq);
    if (!open) return false;
    open.onEnd(outcome);
    open.reader.end(outcome);
    return true;
  }

  /** Ends every stream, because the exit has begun, and abandons its request. @returns the number of streams */
  stop(): number {
    const count = this.#open.size;
    for (const [seq, { frames }] of [...this.#open]) this.#giveUp(seq, toldBy(frames, stopped));
    return count;
  }

  failAll(failureOf: (seq: number) => Failure): void {
    for (const [seq, { frames }] of [...this.#open]) {
      this.end(seq, { type: "failed", failure: toldBy(frames, failureOf(seq)) });
    }
  }

  #close(seq: number): Open | undefined {
    const open = this.#open.get(seq);
    if (!open) return undefined;
    open.timer?.clear();
    this.#open.delete(seq);
    return open;
  }
}

const stopped: Failure = {
  code: "cancelled",
  sent: "maybe",
  detail: "the service stopped while the reply was being streamed",
};

/** Corrects `sent` by the number of frames that came: one proves that the upstream has the request. */
function toldBy(frames: number, failure: Failure): Failure {
  return frames > 0 ? { ...failure, sent: "yes" } : failure;
}
