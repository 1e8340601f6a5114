/** Body of an HTTP request that is read on only when the next chunk is wanted, so that its sender waits meanwhile. */

import type { Context } from "hono";
import { refused, type SidesocketError } from "../../errors.ts";
import { PatientTimer } from "../../sidecar/patient-timer.ts";
import type { Env } from "../env.ts";
import type { IncomingBody } from "../ports.ts";
import type { StopSignal } from "../stop-signal.ts";
import { callerLeft } from "./caller-left.ts";

export interface PulledBody {
  /** The next chunk; undefined at the end. Rejects if the caller has left, on the exit, and after too long a pause. */
  next(): Promise<Uint8Array | undefined>;
  /** Reads no more. */
  leave(): void;
}

/** The time in which the rest of a body that nobody reads must come, in milliseconds. */
const REST_WITHIN_MS = 10_000;

interface PullTerms {
  /** The time in which `leastBytes` must come, in milliseconds. */
  readonly idleMs: number;
  readonly leastBytes: number;
}

/**
 * The body may last as long as it goes on: until `leave`, the listener's bounds do not count for it. Its pauses are
 * bounded here, and only while it is waited for: how long its reader takes for what has come is that one's own affair.
 */
export function pullBody(c: Context<Env>, stopping: StopSignal, terms: PullTerms): PulledBody {
  const { idleMs, leastBytes } = terms;
  const grant = c.env?.grant ?? (() => {});
  grant(Number.POSITIVE_INFINITY);
  const incoming = c.env?.exclusive ? c.env.incoming : undefined;
  const source = incoming ? pullIncoming(incoming) : pullStream(c.req.raw.body);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const stop = () => fail(refused("shutting_down", "the service is shutting down, and the body was incomplete"));
  const listener = stopping.on(stop);
  if (stopping.come) stop();
  /** The time for which the next `leastBytes` were waited for, in milliseconds, and how many of them have come. */
  let waitedMs = 0;
  let came = 0;
  return {
    async next() {
      const from = performance.now();
      const timer = new PatientTimer(() => fail(paused(terms)), Math.max(0, idleMs - waitedMs));
      try {
        const chunk = await Promise.race([failed, source.next()]);
        waitedMs += performance.now() - from;
        came += chunk?.length ?? 0;
        if (came >= leastBytes) {
          waitedMs = 0;
          came = 0;
        }
        return chunk;
      } finally {
        timer.clear();
      }
    },
    leave() {
      grant(REST_WITHIN_MS);
      stopping.off(listener);
      source.leave();
    },
  };
}

function paused({ idleMs, leastBytes }: PullTerms): SidesocketError {
  const lacks = `fewer than ${leastBytes} bytes of the body came within ${idleMs / 1_000} s, and it is incomplete`;
  return refused("invalid_request", `${lacks}: send on sooner, or set ?idle up to 120s`);
}

/** On our own listener the chunks are taken directly: the Request's way to them makes another copy. */
function pullIncoming(incoming: IncomingBody): PulledBody {
  const chunks: Uint8Array[] = [];
  let end: { readonly error?: unknown } | undefined;
  let wake: () => void = () => {};
  const ended = (how: typeof end) => {
    end ??= how;
    wake();
  };
  const take = (chunk: Uint8Array) => {
    incoming.pause();
    chunks.push(chunk);
    wake();
  };
  incoming.on("data", take);
  incoming.on("end", () => ended({}));
  incoming.on("error", (error) => ended({ error }));
  // After `end` this has no effect.
  incoming.on("close", () => ended({ error: callerLeft }));
  if (incoming.destroyed) ended({ error: callerLeft });
  return {
    async next() {
      if (chunks.length === 0 && !end) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        incoming.resume();
        await woken;
      }
      const chunk = chunks.shift();
      if (chunk === undefined && end && "error" in end) throw end.error;
      return chunk;
    },
    leave() {
      incoming.off("data", take);
      // Read the rest to its end, so that the connection can be used again.
      incoming.resume();
    },
  };
}

function pullStream(body: ReadableStream<Uint8Array> | null): PulledBody {
  const reader = body?.getReader();
  return {
    async next() {
      const read = await reader?.read();
      return read?.value;
    },
    leave() {
      reader?.cancel().catch(() => {});
    },
  };
}
