/** Signal that the caller has left, and the error with which its request is abandoned. */

import type { Context } from "hono";
import type { LeaveSignal } from "../../sidecar/host/upstream-client.ts";
import type { Env } from "../env.ts";
import type { ResponseStream } from "../ports.ts";

export const callerLeft = new Error("the caller has left");

/** Aborts when a response of our own listener closes; `close` comes once, complete or not. */
class ResponseClosed implements LeaveSignal {
  readonly #response: ResponseStream;
  readonly reason = callerLeft;

  constructor(response: ResponseStream) {
    this.#response = response;
  }

  get aborted(): boolean {
    return this.#response.destroyed;
  }

  addEventListener(_: "abort", listener: () => void): void {
    if (this.#response.onClose === null) this.#response.onClose = listener;
    else this.#response.on("close", listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    if (this.#response.onClose === listener) this.#response.onClose = null;
    else this.#response.off("close", listener);
  }
}

/**
 * Aborts when the caller leaves. On our own listener it watches the response: the Request's own signal, which every
 * fetch handler has, costs an AbortController per request.
 */
export function leaveSignal(c: Context<Env>): LeaveSignal {
  const response = c.env?.outgoing;
  return response ? new ResponseClosed(response) : c.req.raw.signal;
}

/** True if the error only means that the caller has left. Deno reports a cut body before it closes the response. */
export function isCallerLeft(c: Context<Env>, error: unknown): boolean {
  return error === callerLeft || error === c.env?.incoming?.errored || c.req.raw.signal.aborted;
}
