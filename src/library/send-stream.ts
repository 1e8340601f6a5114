/** Bytes of a program that go out as many frames while they come. */

import { refused, SidesocketError } from "../errors.ts";
import { cutFrames } from "../sidecar/host/frame-cutter.ts";
import { FrameSeries, withProgress } from "../sidecar/host/frame-series.ts";
import type { Inner } from "./inner.ts";
import { type ByteStream, chunksIn } from "./sendable.ts";

interface StreamTerms {
  readonly confirms: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends each frame once the upstream has taken the one before.
 * @throws SidesocketError whose `sent` counts all frames, what the stream throws, and the reason of the signal
 */
export async function sendStream({ client, sidecars }: Inner, stream: ByteStream, terms: StreamTerms): Promise<void> {
  const size = client.protocol?.frameBytes;
  if (size === undefined) throw refused("invalid_request", "a stream of bytes needs frames: { size } in `protocol`");
  const series = new FrameSeries(client, terms);
  const chunks = untilLeft(chunksIn(stream), terms.signal);
  try {
    const frameBytes = Math.min(size, client.settings.limits.request_bytes);
    for await (const frame of cutFrames({ next: chunks.next }, frameBytes, sidecars.budget)) {
      const failure = await series.send(frame);
      if (failure) throw new SidesocketError(failure);
    }
    if (series.sent.frames === 0) throw refused("invalid_request", "the message is empty: it has no bytes");
  } catch (error) {
    // A frame's own failure says already how far the series came.
    const isOwn = error instanceof SidesocketError && error.sent === "no" && series.sent.frames > 0;
    throw isOwn ? new SidesocketError(withProgress(error.failure, series.sent)) : error;
  } finally {
    chunks.leave();
  }
}

/** Reads chunks until the signal aborts. */
function untilLeft(chunks: AsyncGenerator<Uint8Array, void>, signal: AbortSignal | undefined) {
  let leave: (reason: unknown) => void = () => {};
  const left = new Promise<never>((_, reject) => {
    leave = reject;
  });
  left.catch(() => {});
  const onAbort = () => leave(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return {
    async next(): Promise<Uint8Array | undefined> {
      const { done, value } = await Promise.race([left, chunks.next()]);
      return done ? undefined : value;
    },
    leave() {
      signal?.removeEventListener("abort", onAbort);
      chunks.return().catch(() => {});
    },
  };
}
