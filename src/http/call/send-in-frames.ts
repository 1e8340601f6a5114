/** Bodies that are sent as many frames: cut as they arrive, one after the other, over one connection. */

import type { Context } from "hono";
import { MAX_TIMEOUT_MS } from "../../core/outcome.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import { cutFrames } from "../../sidecar/host/frame-cutter.ts";
import { FrameSeries, type SeriesProgress, withProgress } from "../../sidecar/host/frame-series.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { noteFailure, problem } from "../problem.ts";
import { header } from "../request-header.ts";
import { checkCoding } from "./body.ts";
import { callerLeft, leaveSignal } from "./caller-left.ts";
import { readKey } from "./detached.ts";
import { upstreamOf } from "./find-upstream.ts";
import { callHeaders } from "./headers.ts";
import { pullBody } from "./pulled-body.ts";
import { readIdle, readWaitLimit } from "./timeout.ts";

/** The longest pause of the body by default: as long as the listener waits for the whole body of other requests. */
const IDLE_MS = 30_000;
/** The bytes that must come in that time, far fewer than any speech has: else a frame is held for next to nothing. */
const LEAST_BYTES = 1_024;

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
  const { timeoutMs, applied } = readWaitLimit(c);
  const idleMs = readIdle(c, MAX_TIMEOUT_MS) ?? IDLE_MS;
  const leave = quotas?.stream(upstream, callerOf(c).share);
  c.env?.proceed?.();
  const body = pullBody(c, lifecycle.stopping, { idleMs, leastBytes: Math.min(size, LEAST_BYTES) });
  const leaving = leaveSignal(c);
  // Without that signal: if its caller leaves, it is known what was sent.
  const series = new FrameSeries(upstream, { confirms, timeoutMs, trace: c.get("record").trace });
  const { sent } = series;

  try {
    for await (const frame of cutFrames(body, size, budget)) {
      if (leaving.aborted) throw callerLeft;
      const failure = await series.send(frame);
      if (failure) return partly(c, failure, sent);
    }
  } catch (error) {
    if (error instanceof SidesocketError) return partly(c, withProgress(error.failure, sent), sent);
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

function partly(c: Context<Env>, failure: Failure, sent: SeriesProgress): Response {
  return problem(c, failure, upstreamOf(c), undefined, { written: { ...sent } });
}
