import type { Context } from "hono";
import type { Departure } from "../../sidecar/host/upstream-client.ts";
import type { AnswerStream, Env } from "../ports.ts";

/** What a caller's request is given up with, when the caller has left. */
export const callerLeft = new Error("the caller has left");

/** An answer of our own listener is over before it was complete. `close` comes once. */
class CutAnswer implements Departure {
  readonly #answer: AnswerStream;
  readonly reason = callerLeft;

  constructor(answer: AnswerStream) {
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
export function departure(c: Context<Env>): Departure {
  const answer = c.env?.outgoing;
  return answer ? new CutAnswer(answer) : c.req.raw.signal;
}

/** Whether an error says no more than that nobody waits for the answer. Of a body that was cut Deno tells before its answer. */
export function isDeparture(c: Context<Env>, error: unknown): boolean {
  return error === callerLeft || error === c.env?.incoming?.errored || c.req.raw.signal.aborted;
}
