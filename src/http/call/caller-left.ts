import type { Context } from "hono";
import type { LeaveSignal } from "../../sidecar/host/upstream-client.ts";
import type { Env, ResponseStream } from "../ports.ts";

/** What a caller's request is given up with, when the caller has left. */
export const callerLeft = new Error("the caller has left");

/** An answer of our own listener is over before it was complete. `close` comes once. */
class ResponseCut implements LeaveSignal {
  readonly #answer: ResponseStream;
  readonly reason = callerLeft;

  constructor(answer: ResponseStream) {
    this.#answer = answer;
  }

  get aborted(): boolean {
    return this.#answer.destroyed;
  }

  addEventListener(_: "abort", listener: () => void): void {
    this.#answer.on("close", listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    this.#answer.off("close", listener);
  }
}

/**
 * When the caller leaves. On our own listener the answer's end says it; the request's signal, which every fetch handler
 * has, would cost an AbortController for each request.
 */
export function leaveSignal(c: Context<Env>): LeaveSignal {
  const answer = c.env?.outgoing;
  return answer ? new ResponseCut(answer) : c.req.raw.signal;
}

/** Whether an error says no more than that nobody waits for the answer. Of a body that was cut Deno tells before its answer. */
export function isCallerLeft(c: Context<Env>, error: unknown): boolean {
  return error === callerLeft || error === c.env?.incoming?.errored || c.req.raw.signal.aborted;
}
