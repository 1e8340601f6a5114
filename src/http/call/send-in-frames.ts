/** Bodies that are sent as many frames: cut as they arrive, one after the other, over one connection. */

import type { Context } from "hono";
import type { CallerOutcome } from "../../core/outcome.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import { demandAccepting } from "../demand-accepting.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, Env } from "../ports.ts";
import { noteFailure, problem } from "../problem.ts";
import { header } from "../request-header.ts";
import { checkCoding } from "./body.ts";
import { callerLeft } from "./caller-left.ts";
import { readKey } from "./detached.ts";
import { upstreamOf } from "./find-upstream.ts";
import { cutFrames } from "./frame-cutter.ts";
import { callHeaders } from "./headers.ts";
import { bodyTooLong, pullBody } from "./pulled-body.ts";
import { readWaitLimit } from "./timeout.ts";

/** The time for the whole body and its frames: less than the listener gives a request, so that we can say how far. */
const WITHIN_MS = 28_000;
/** The longest pause before a frame for which there was no room is tried again. */
const PAUSE_MS = 100;

interface Written {
  frames: number;
  bytes: number;
}

/** @param size of a frame in bytes @param confirms true to have each frame proven by a pong before the next one */
export async function sendInFrames(
  c: Context<Env>,
  parts: AppParts,
  size: number,
  confirms: boolean,
): Promise<Response> {
  const { lifecycle, quotas, budget } = parts;
  demandAccepting(lifecycle);
  checkCoding(header(c, "content-encoding"));
  if (readKey(c) !== undefined) {
    throw refused("invalid_request", "a body in frames cannot be replayed: leave out the Idempotency-Key");
  }
  const upstream = upstreamOf(c);
  const sent: Written = { frames: 0, bytes: 0 };
  const { timeoutMs, applied } = readWaitLimit(c);
  const leave = quotas?.stream(upstream, callerOf(c).share);
  c.env?.proceed?.();
  const body = pullBody(c, lifecycle.stopping, WITHIN_MS);
  const until = performance.now() + WITHIN_MS;
  let connection: number | undefined;

  /** Sends one frame, and waits until there is room for it: also if its caller leaves, to know what was sent. */
  const send = async (frame: Uint8Array): Promise<CallerOutcome> => {
    const deadline = Math.min(performance.now() + timeoutMs, until);
    for (;;) {
      const leftMs = Math.max(1, deadline - performance.now());
      const outcome = await upstream.request({
        kind: confirms ? "confirm" : "send",
        body: frame,
        unanswered: { series: { connection } },
        timeoutMs: leftMs,
        trace: c.get("trace"),
      });
      if (outcome.type !== "failed" || !isFull(outcome.failure) || leftMs <= PAUSE_MS) return outcome;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };

  try {
    for await (const frame of cutFrames(body, size, budget)) {
      if (performance.now() >= until) throw bodyTooLong(WITHIN_MS);
      const outcome = await send(frame);
      if (outcome.type === "failed") return partly(c, outcome.failure, sent);
      if (outcome.type === "done") connection ??= outcome.connection;
      sent.frames++;
      sent.bytes += frame.length;
    }
  } catch (error) {
    if (error instanceof SidesocketError) return partly(c, error.failure, sent);
    if (sent.frames > 0) noteFailure(c, withProgress(endedEarly, sent), upstream);
    if (error === callerLeft) return new Response(null, { status: 499 });
    throw error;
  } finally {
    body.leave();
    leave?.();
  }
  if (sent.frames === 0) throw refused("invalid_request", "the body is empty: send bytes in it");
  const headers = callHeaders(c, { applied });
  headers["Sidesocket-Frames"] = String(sent.frames);
  if (confirms) headers["Sidesocket-Sent"] = "yes";
  return c.body(null, 204, headers);
}

const endedEarly: Failure = { code: "invalid_request", sent: "no", detail: "the body ended early" };

/** True if the frame was not sent because others have to be first, which may soon be over. */
function isFull({ code, sent }: Failure): boolean {
  return sent === "no" && (code === "congested" || code === "paced" || code === "too_many_in_flight");
}

function partly(c: Context<Env>, failure: Failure, sent: Written): Response {
  return problem(c, withProgress(failure, sent), upstreamOf(c), undefined, { written: { ...sent } });
}

/** The failure of the whole body: once a frame was sent, repeating it is not safe any more. */
function withProgress(failure: Failure, { frames, bytes }: Written): Failure {
  if (frames === 0) return failure;
  const detail = `${failure.detail}; ${frames} frames with ${bytes} bytes of the body were sent before`;
  return { ...failure, sent: failure.sent === "no" ? "maybe" : failure.sent, detail };
}
