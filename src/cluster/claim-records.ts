/** The records of Idempotency-Keys in the store of a cluster: claims, and how their requests ended. */

import type { ClaimRecord, ClaimValue, ClaimWritten } from "../core/cluster/claims.ts";
import { type Outcome, sentOf } from "../core/outcome.ts";
import type { Sent } from "../errors.ts";
import { type Engine, EngineError } from "./engine.ts";
import { decodeAnswer, encodeAnswer, headOf, isSent, malformed, nextOf, pack, unpack } from "./member-messages.ts";

/** The longest outcome that its record holds, in bytes: longer ones lie beside it, where the oldest make room. */
const INLINE_BYTES = 1_024;
/** The longest outcome that is kept, in bytes. */
const OUTCOME_BYTES = 1024 * 1024;

/** `not_owner`: certainly nothing was sent, and another member is to be asked. */
export type KeyedEnd = Outcome | "not_owner";

type Store = Pick<Engine, "claim" | "look" | "keep">;

/** How a record names its outcome: in itself, in the bucket of kept outcomes, or not at all since it is too long. */
type OutcomePlace = "here" | "kept" | "dropped";

export class ClaimRecords {
  readonly #store: Store;
  readonly #prefix: string;

  /** @param upstream whose keys these are: each has its own owners, with terms of their own */
  constructor(store: Store, upstream: string) {
    this.#store = store;
    this.#prefix = upstream;
  }

  /** Writes a record, or deletes it, if `after` is its revision. Never fails. */
  async write(
    key: string,
    value: ClaimValue<KeyedEnd> | undefined,
    after: number,
    withinMs: number,
  ): Promise<ClaimWritten> {
    const until = performance.now() + withinMs;
    const name = this.#nameOf(key);
    try {
      const record = value && encodeClaim(value);
      if (record?.beside) await this.#store.keep("kept", name, record.beside, withinMs);
      const claim = { bucket: "claims", key: name, value: record?.bytes, after } as const;
      return await this.#store.claim(claim, until - performance.now());
    } catch (error) {
      return error instanceof EngineError && !error.mayBeDone ? "missed" : "unknown";
    }
  }

  /** Reads a record, with its outcome. Never fails. */
  async look(key: string, withinMs: number): Promise<ClaimRecord<Outcome> | undefined | "unknown"> {
    const until = performance.now() + withinMs;
    const name = this.#nameOf(key);
    try {
      const stored = await this.#store.look("claims", name, withinMs);
      if (!stored) return undefined;
      const { value, sent } = decodeClaim(stored.value);
      const { revision } = stored;
      if (value) return { value, revision };
      const beside = sent.isKept ? await this.#store.look("kept", name, until - performance.now()) : undefined;
      const outcome = beside ? outcomeIn(beside.value) : gone(sent.sent);
      return { value: { digest: sent.digest, end: { type: "outcome", outcome } }, revision };
    } catch {
      return "unknown";
    }
  }

  #nameOf(key: string): string {
    return `${this.#prefix}.${key}`;
  }
}

/** @returns the record, and the outcome that is stored beside it if it is too long to be in it */
function encodeClaim(value: ClaimValue<KeyedEnd>): { readonly bytes: Uint8Array; readonly beside?: Uint8Array } {
  const { digest } = value;
  if (!("end" in value)) return { bytes: pack({ type: "claim", ...value }, []) };
  const { end } = value;
  if (end.type === "replaced") return { bytes: pack({ type: "claim", digest, end: end.type }, []) };
  if (end.outcome === "not_owner") throw malformed("the key of a message that was not sent is free");
  const outcome = encodeAnswer({ type: "settled", outcome: end.outcome });
  const place: OutcomePlace =
    outcome.length <= INLINE_BYTES ? "here" : outcome.length <= OUTCOME_BYTES ? "kept" : "dropped";
  const sent = sentOf(end.outcome);
  const bytes = pack({ type: "claim", digest, end: "outcome", place, sent }, place === "here" ? [outcome] : []);
  return place === "kept" ? { bytes, beside: outcome } : { bytes };
}

type DecodedClaim =
  | { readonly value: ClaimValue<Outcome>; readonly sent?: undefined }
  | {
      readonly value?: undefined;
      readonly sent: { readonly digest: string; readonly sent: Sent; readonly isKept: boolean };
    };

/** @throws MalformedMessage */
function decodeClaim(bytes: Uint8Array): DecodedClaim {
  const { head, bodies } = unpack(bytes);
  const { type, digest, term, attempt, end, place, sent } = headOf(head);
  if (type !== "claim" || typeof digest !== "string") throw malformed("not a claim");
  if (end === "replaced") return { value: { digest, end: { type: end } } };
  if (end === undefined) {
    if (typeof term !== "number" || typeof attempt !== "string") throw malformed("not a claim that is open");
    return { value: { digest, term, attempt } };
  }
  if (end !== "outcome" || !isSent(sent)) throw malformed("not the end of a claim");
  if (place !== "here") return { sent: { digest, sent, isKept: place === "kept" } };
  const body = nextOf([...bodies]);
  if (typeof body === "string") throw malformed("not an outcome");
  return { value: { digest, end: { type: "outcome", outcome: outcomeIn(body) } } };
}

function outcomeIn(bytes: Uint8Array): Outcome {
  const answer = decodeAnswer(bytes);
  if (answer.type !== "settled") throw malformed("not an outcome");
  return answer.outcome;
}

function gone(sent: Sent): Outcome {
  const detail = `the reply is no longer kept: replicas share those of up to ${OUTCOME_BYTES} bytes (replies.bytes)`;
  return { type: "failed", failure: { code: "gone", sent, detail } };
}
