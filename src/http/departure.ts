import type { Context } from "hono";
import type { Departure } from "../sidecar/client.ts";
import type { Env } from "./ports.ts";

/** What a caller's request is given up with, when the caller has left. */
const callerLeft = new Error("the caller has left");

/**
 * When the caller leaves. On our own listener the answer's end says it; the request's signal, which every fetch handler
 * has, would cost an AbortController for each request.
 */
export function departure(c: Context<Env>): Departure {
  const answer = c.env?.outgoing;
  if (!answer) return c.req.raw.signal;
  return {
    get aborted() {
      return answer.destroyed;
    },
    reason: callerLeft,
    addEventListener: (_, listener) => answer.once("close", listener),
    removeEventListener: (_, listener) => answer.off("close", listener),
  };
}

/** Whether an error says no more than that nobody waits for the answer. */
export function isDeparture(c: Context<Env>, error: unknown): boolean {
  return error === callerLeft || c.req.raw.signal.aborted;
}
