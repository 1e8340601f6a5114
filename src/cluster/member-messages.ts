/** The messages between the members of a cluster, as bytes. */

import { Buffer } from "node:buffer";
import type { RequestKey } from "../core/cluster/claims.ts";
import type { Beat, OwnedUpstream, OwnerValue, ReleasedUpstream } from "../core/cluster/ownership-messages.ts";
import { type Failed, isKind, isStream, type Outcome, type Replied, type RequestKind } from "../core/outcome.ts";
import type { ErrorCode, Failure, Sent } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";
import { readUint32, writeUint32 } from "./uint32.ts";

/** A request of another member's caller. */
export interface MemberRequest {
  /** The member that asks. */
  readonly from: string;
  readonly kind: RequestKind;
  readonly body: Body;
  /** Milliseconds until its caller gives up. A duration, since the clocks of two machines differ. */
  readonly leftMs: number;
  readonly unanswered: boolean;
  /** Set for one of several that must go over one connection: that of those before it, 0 for the first. */
  readonly over: number | undefined;
  readonly key: RequestKey | undefined;
}

export type MemberAnswer =
  /** Certainly nothing of the request was sent: whoever answers here does not own the upstream, or not any more. */
  | { readonly type: "not_owner" }
  | { readonly type: "begun" }
  | { readonly type: "part"; readonly body: Body }
  /** `isReplayed`: it is the outcome of an earlier request with the same key. */
  | { readonly type: "settled"; readonly outcome: Outcome; readonly isReplayed?: boolean | undefined };

/** A message that is not well formed, or of another version. */
export class MalformedMessage extends Error {}

/**
 * A message is a version, the length of a JSON text, the number of bodies, the length of each, that text, and the
 * bodies. A body that is a text has the highest bit of its length set.
 */
const VERSION = 1;
const HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
const IS_TEXT = 2 ** 31;
/** A part of a name in the store, whatever another member sends. */
const DIGEST = /^[\w-]{1,128}$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeRequest({ body, ...head }: MemberRequest): Uint8Array<ArrayBuffer> {
  return pack({ type: "request", ...head }, [body]);
}

/** @throws MalformedMessage */
export function decodeRequest(bytes: Uint8Array): MemberRequest {
  const { head, bodies } = unpack(bytes);
  const { type, from, kind, leftMs, unanswered, over, key } = head;
  const [body, ...others] = bodies;
  if (type !== "request" || body === undefined || others.length > 0) throw malformed("not a request");
  if (typeof from !== "string") throw malformed("not the name of a member");
  if (typeof kind !== "string" || !isKind(kind)) throw malformed("not a kind of request");
  if (typeof leftMs !== "number" || !Number.isFinite(leftMs)) throw malformed("no time left");
  if (typeof unanswered !== "boolean") throw malformed("unanswered is not true or false");
  if (over !== undefined && !isCount(over)) throw malformed("not the number of a connection");
  if (key !== undefined && isStream(kind)) throw malformed("a key of a stream");
  return { from, kind, body, leftMs, unanswered, over, key: key === undefined ? undefined : keyOf(headOf(key)) };
}

function keyOf({ id, digest }: Head): RequestKey {
  if (typeof id !== "string" || !DIGEST.test(id) || typeof digest !== "string") throw malformed("not a key");
  return { id, digest };
}

export function encodeAnswer(answer: MemberAnswer): Uint8Array<ArrayBuffer> {
  if (answer.type === "part") return pack({ type: "part" }, [answer.body]);
  if (answer.type !== "settled") return pack(answer, []);
  const bodies: Body[] = [];
  const { isReplayed, outcome } = answer;
  return pack({ type: "settled", ...(isReplayed && { isReplayed }), outcome: withoutBodies(outcome, bodies) }, bodies);
}

/** @throws MalformedMessage */
export function decodeAnswer(bytes: Uint8Array): MemberAnswer {
  const { head, bodies } = unpack(bytes);
  const rest = [...bodies];
  const answer = answerOf(head, rest);
  if (rest.length > 0) throw malformed("more bodies than the message has places");
  return answer;
}

function answerOf(head: Head, bodies: Body[]): MemberAnswer {
  switch (head["type"]) {
    case "not_owner":
    case "begun":
      return { type: head["type"] };
    case "part":
      return { type: "part", body: nextOf(bodies) };
    case "settled":
      return {
        type: "settled",
        outcome: outcomeOf(head["outcome"], bodies),
        ...(head["isReplayed"] === true && { isReplayed: true }),
      };
    default:
      throw malformed("not an answer");
  }
}

export function encodeBeat(beat: Beat): Uint8Array<ArrayBuffer> {
  return pack({ type: "beat", ...beat }, []);
}

/** @throws MalformedMessage */
export function decodeBeat(bytes: Uint8Array): Beat {
  const { type, member, at, owned, released } = unpack(bytes).head;
  if (type !== "beat" || typeof member !== "string") throw malformed("not a beat");
  const { ms, wallMs } = headOf(at);
  if (typeof ms !== "number" || typeof wallMs !== "number") throw malformed("not a moment");
  if (!Array.isArray(owned) || !Array.isArray(released)) throw malformed("not a list of upstreams");
  return { member, at: { ms, wallMs }, owned: owned.map(ownedOf), released: released.map(releasedOf) };
}

function ownedOf(value: unknown): OwnedUpstream {
  const { phase } = headOf(value);
  if (typeof phase !== "string") throw malformed("not an upstream's phase");
  return { ...releasedOf(value), phase };
}

function releasedOf(value: unknown): ReleasedUpstream {
  const { upstream, term, address } = headOf(value);
  if (typeof upstream !== "string" || !isCount(term) || typeof address !== "string") throw malformed("not a term");
  return { upstream, term, address };
}

/** The record of an upstream's owner, which people may read with the tools of their message server. */
export function encodeOwner(value: OwnerValue): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value));
}

/** @throws MalformedMessage */
export function decodeOwner(bytes: Uint8Array): OwnerValue {
  const { member, address, from } = headOf(parsed(bytes));
  if (typeof from === "string") return { from };
  if (typeof member !== "string" || typeof address !== "string") throw malformed("not the record of an owner");
  return { member, address };
}

// Outcomes.

function withoutBodies(outcome: Outcome, bodies: Body[]): object {
  if (outcome.type === "batch") return { ...outcome, items: outcome.items.map((item) => withoutBodies(item, bodies)) };
  if (outcome.type !== "reply") return outcome;
  const { body, ...rest } = outcome;
  bodies.push(body);
  return rest;
}

function outcomeOf(value: unknown, bodies: Body[]): Outcome {
  const outcome = headOf(value);
  if (outcome["type"] === "batch") {
    const { items, done } = outcome;
    if (!Array.isArray(items) || !isCount(done)) throw malformed("not a batch");
    return { type: "batch", items: items.map((item) => itemOf(headOf(item), bodies)), done };
  }
  if (outcome["type"] !== "done") return itemOf(outcome, bodies);
  const { connection } = outcome;
  if (connection === undefined) return { type: "done" };
  if (!isCount(connection)) throw malformed("not the number of a connection");
  return { type: "done", connection };
}

function itemOf(item: Head, bodies: Body[]): Replied | Failed {
  if (item["type"] === "failed") return failedOf(item);
  const { type, queueMs, upstreamMs, isText, isCut } = item;
  if (type !== "reply" || typeof queueMs !== "number" || typeof upstreamMs !== "number")
    throw malformed("not an outcome");
  const reply = { type, body: nextOf(bodies), queueMs, upstreamMs } as const;
  return { ...reply, ...(isText === true && { isText }), ...(isCut === true && { isCut }) };
}

function failedOf({ failure, own, invalid, upstreamError }: Head): Failed {
  return {
    type: "failed",
    failure: failureOf(headOf(failure)),
    ...(typeof own === "string" && { own }),
    ...((invalid === "parse" || invalid === "shape") && { invalid }),
    ...(typeof upstreamError === "string" && { upstreamError }),
  };
}

function failureOf({ code, sent, detail, retryAfterMs, heard, cause, final }: Head): Failure {
  if (typeof code !== "string" || !isSent(sent) || typeof detail !== "string") throw malformed("not a failure");
  return {
    // Of a newer version it may be one that we do not know: the routes treat that as an internal error.
    code: code as ErrorCode,
    sent,
    detail,
    ...(typeof retryAfterMs === "number" && { retryAfterMs }),
    ...(heard !== undefined && { heard: heardOf(headOf(heard)) }),
    ...(typeof cause === "string" && { cause }),
    ...(final === true && { final }),
  };
}

function heardOf({ frames, last, why }: Head): NonNullable<Failure["heard"]> {
  if (!isCount(frames) || typeof last !== "string") throw malformed("not a frame that was heard");
  return { frames, last, ...(typeof why === "string" && { why }) };
}

// The form.

export type Head = Readonly<Record<string, unknown>>;

/** A message is short and soon gone: the pool of `Buffer` costs half of what `TextEncoder` takes. */
export function pack(head: object, bodies: readonly Body[]): Uint8Array<ArrayBuffer> {
  const lengths = bodies.map(lengthOf);
  const text = JSON.stringify(head);
  const textLength = Buffer.byteLength(text);
  const before = HEAD_BYTES + LENGTH_BYTES * bodies.length;
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length, before + textLength));
  bytes[0] = VERSION;
  writeUint32(bytes, 1, textLength);
  writeUint32(bytes, 5, bodies.length);
  let at = before + bytes.write(text, before);
  for (const [index, body] of bodies.entries()) {
    const length = lengths[index] ?? 0;
    const isText = typeof body === "string";
    writeUint32(bytes, HEAD_BYTES + LENGTH_BYTES * index, isText ? length + IS_TEXT : length);
    if (isText) bytes.write(body, at);
    else bytes.set(body, at);
    at += length;
  }
  return bytes;
}

function lengthOf(body: Body): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}

export function unpack(bytes: Uint8Array): { readonly head: Head; readonly bodies: readonly Body[] } {
  if (bytes.length < HEAD_BYTES) throw malformed("too short");
  if (bytes[0] !== VERSION) throw malformed(`version ${bytes[0]}, where ${VERSION} is spoken`);
  const count = readUint32(bytes, 5);
  const before = HEAD_BYTES + LENGTH_BYTES * count;
  let at = before + readUint32(bytes, 1);
  if (at > bytes.length) throw malformed("cut short");
  const head = headOf(parsed(bytes.subarray(before, at)));
  const bodies: Body[] = [];
  for (let index = 0; index < count; index++) {
    const length = readUint32(bytes, HEAD_BYTES + LENGTH_BYTES * index);
    const end = at + (length % IS_TEXT);
    if (end > bytes.length) throw malformed("cut short");
    bodies.push(length >= IS_TEXT ? textOf(bytes.subarray(at, end)) : new Uint8Array(bytes.subarray(at, end)));
    at = end;
  }
  if (at !== bytes.length) throw malformed("more bytes than the message has");
  return { head, bodies };
}

export function parsed(bytes: Uint8Array): unknown {
  const text = textOf(bytes);
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("not JSON");
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed("not UTF-8");
  }
}

export function headOf(value: unknown): Head {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("not an object");
  return value as Head;
}

export function nextOf(bodies: Body[]): Body {
  const body = bodies.shift();
  if (body === undefined) throw malformed("a body is missing");
  return body;
}

export function malformed(why: string): MalformedMessage {
  return new MalformedMessage(`a message of another member is malformed: ${why}`);
}

export function isSent(value: unknown): value is Sent {
  return value === "no" || value === "maybe" || value === "yes";
}

export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
