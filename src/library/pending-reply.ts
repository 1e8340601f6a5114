/** Replies, in the form that the caller wants. */

import { refused, SidesocketError } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";

/** The promise of a reply: resolves with the text of a text frame, and the bytes of a binary one. */
export class PendingReply extends Promise<Body> {
  /** An ordinary promise is returned by `then`. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of(reply: Promise<Body>): PendingReply {
    return new PendingReply((resolve, reject) => {
      reply.then(resolve, reject);
    });
  }

  /** The reply as text. @throws SidesocketError `invalid_reply` if its bytes are not UTF-8 */
  async text(): Promise<string> {
    return replyText(await this);
  }

  /** The reply as bytes. */
  async bytes(): Promise<Uint8Array> {
    return replyBytes(await this);
  }

  /** The value of a reply in JSON. @throws SidesocketError `invalid_reply` if it is not JSON */
  async json<Value = unknown>(): Promise<Value> {
    return replyJson<Value>(await this);
  }
}

/** A reply as it comes, text for a text frame and bytes for a binary one, or in one form. */
interface ReplyForms {
  readonly frame: Body;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

export type ReplyForm = keyof ReplyForms;
export type ReplyAs<Form extends ReplyForm> = ReplyForms[Form];

const FORMS: { readonly [Form in ReplyForm]: (body: Body) => ReplyForms[Form] } = {
  frame: (body) => body,
  text: replyText,
  bytes: replyBytes,
  json: replyJson,
};

/** @throws SidesocketError `invalid_request` for a form that there is not */
export function demandForm(form: string): void {
  if (Object.hasOwn(FORMS, form)) return;
  throw refused("invalid_request", `as must be one of ${Object.keys(FORMS).join(", ")}`);
}

/** @throws SidesocketError `invalid_reply` if the reply has not this form */
export function replyAs<Form extends ReplyForm>(body: Body, form: Form): ReplyAs<Form> {
  return FORMS[form](body);
}

function replyText(body: Body): string {
  if (typeof body === "string") return body;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw unusable("the reply has bytes that are not text: take its bytes()");
  }
}

function replyBytes(body: Body): Uint8Array {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}

export function replyJson<Value>(body: Body): Value {
  const text = replyText(body);
  try {
    return JSON.parse(text);
  } catch {
    throw unusable(text === "" ? "there is no reply to this message" : "the reply is not JSON: take its text()");
  }
}

/** The failure of a caller who got a reply that is not of the wanted form. */
export function unusable(detail: string): SidesocketError {
  return new SidesocketError({ code: "invalid_reply", sent: "yes", detail });
}
