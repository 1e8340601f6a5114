/** Questions for the replies that another replica keeps, and their answers, as bytes. */

import { Buffer } from "node:buffer";
import type { KeptState } from "../core/kept-replies.ts";
import type { Failed, Outcome } from "../core/outcome.ts";
import type { Failure } from "../errors.ts";
import { decodeAnswer, encodeAnswer, isCount, isSent, malformed, pack, unpack } from "./member-messages.ts";

export interface KeptQuestion {
  /** The whole last part of the `Location`. */
  readonly id: string;
  /** The identity of the caller, by whose rules the other replica answers. */
  readonly owner: string;
  /** How long to wait for the reply, in milliseconds. */
  readonly withinMs: number;
}

export type KeptAnswer =
  | { readonly type: "kept"; readonly upstream: string; readonly state: KeptState }
  | { readonly type: "refused"; readonly failure: Failure };

export function encodeKeptQuestion(question: KeptQuestion): Uint8Array<ArrayBuffer> {
  return pack({ type: "kept?", ...question }, []);
}

/** @throws MalformedMessage */
export function decodeKeptQuestion(bytes: Uint8Array): KeptQuestion {
  const { type, id, owner, withinMs } = unpack(bytes).head;
  if (type !== "kept?") throw malformed("not a question for a kept reply");
  if (typeof id !== "string" || typeof owner !== "string" || !isCount(withinMs)) throw malformed("not a kept reply");
  return { id, owner, withinMs };
}

export function encodeKeptAnswer(answer: KeptAnswer): Uint8Array<ArrayBuffer> {
  if (answer.type === "refused")
    return pack({ type: "refused" }, [outcomeBytes({ type: "failed", failure: answer.failure })]);
  const { upstream, state } = answer;
  const head = { type: "kept", upstream, phase: state.phase };
  switch (state.phase) {
    case "pending":
      return pack(head, []);
    case "late":
      return pack(head, [outcomeBytes(state.failed)]);
    case "ended":
      return pack(head, [outcomeBytes(state.outcome)]);
    case "dropped":
      return pack({ ...head, sent: state.sent }, []);
  }
}

/** @throws MalformedMessage */
export function decodeKeptAnswer(bytes: Uint8Array): KeptAnswer {
  const { head, bodies } = unpack(bytes);
  const { type, upstream, phase, sent } = head;
  const [body, ...others] = bodies;
  if (others.length > 0) throw malformed("more than one outcome");
  const outcome = body === undefined ? undefined : outcomeIn(body);
  if (type === "refused") return { type, failure: failedOf(outcome).failure };
  if (type !== "kept" || typeof upstream !== "string") throw malformed("not an answer about a kept reply");
  return { type, upstream, state: stateOf(phase, outcome, sent) };
}

function stateOf(phase: unknown, outcome: Outcome | undefined, sent: unknown): KeptState {
  if (phase === "pending") return { phase };
  if (phase === "late") return { phase, failed: failedOf(outcome) };
  if (phase === "ended" && outcome) return { phase, outcome };
  if (phase === "dropped" && isSent(sent)) return { phase, sent };
  throw malformed("not the state of a kept reply");
}

function failedOf(outcome: Outcome | undefined): Failed {
  if (outcome?.type !== "failed") throw malformed("not a failure");
  return outcome;
}

function outcomeBytes(outcome: Outcome): Uint8Array {
  return encodeAnswer({ type: "settled", outcome });
}

function outcomeIn(body: string | Uint8Array): Outcome {
  const answer = decodeAnswer(typeof body === "string" ? Buffer.from(body) : body);
  if (answer.type !== "settled") throw malformed("not an outcome");
  return answer.outcome;
}
