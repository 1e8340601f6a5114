/** The sending of frames that belong together: one after the other, over one connection, at the upstream's pace. */

import type { CallerOutcome } from "../../core/outcome.ts";
import type { TraceContext } from "../../core/util/traceparent.ts";
import type { Failure } from "../../errors.ts";
import type { UpstreamClient } from "./upstream-client.ts";

/** The longest pause before a frame for which there was no room is tried again. */
const PAUSE_MS = 100;

/** How far a series has come. */
export interface SeriesProgress {
  frames: number;
  bytes: number;
}

interface SeriesTerms {
  /** True to have each frame proven by a pong before the next one. */
  readonly confirms: boolean;
  /** The time for each frame, in milliseconds. */
  readonly timeoutMs: number;
  readonly trace?: TraceContext | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends the frames of one series. */
export class FrameSeries {
  readonly sent: SeriesProgress = { frames: 0, bytes: 0 };
  readonly #upstream: Pick<UpstreamClient, "request">;
  readonly #terms: SeriesTerms;
  #connection: number | undefined;

  constructor(upstream: Pick<UpstreamClient, "request">, terms: SeriesTerms) {
    this.#upstream = upstream;
    this.#terms = terms;
  }

  /** Sends the next frame. @returns the failure of the whole series; undefined once the frame was taken */
  async send(frame: Uint8Array): Promise<Failure | undefined> {
    const outcome = await this.#sendWithRoom(frame);
    if (outcome.type === "failed") return withProgress(outcome.failure, this.sent);
    if (outcome.type === "done") this.#connection ??= outcome.connection;
    this.sent.frames++;
    this.sent.bytes += frame.length;
    return undefined;
  }

  /** Waits until there is room for the frame. */
  async #sendWithRoom(frame: Uint8Array): Promise<CallerOutcome> {
    const { confirms, timeoutMs, trace, signal } = this.#terms;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = Math.max(1, deadline - performance.now());
      const outcome = await this.#upstream.request({
        kind: confirms ? "confirm" : "send",
        body: frame,
        unanswered: { series: { connection: this.#connection } },
        timeoutMs: leftMs,
        trace,
        signal,
      });
      if (outcome.type !== "failed" || !isFull(outcome.failure) || leftMs <= PAUSE_MS) return outcome;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** True if the frame was not sent because others have to be first, which may soon be over. */
function isFull({ code, sent }: Failure): boolean {
  return sent === "no" && (code === "congested" || code === "paced" || code === "too_many_in_flight");
}

/** The failure of a whole series: once a frame was sent, repeating it is not safe any more. */
export function withProgress(failure: Failure, { frames, bytes }: SeriesProgress): Failure {
  if (frames === 0) return failure;
  const detail = `${failure.detail}; ${frames} frames with ${bytes} bytes of the body were sent before`;
  return { ...failure, sent: failure.sent === "no" ? "maybe" : failure.sent, detail };
}
