/** Messages as the library's callers give them. */

import { refused } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";

/** A message to send: text, bytes, or an object or list that is sent as JSON. */
export type Sendable = Body | object;

/** Bytes that come one after the other, such as a ReadableStream or a file that is read. */
export type ByteStream = AsyncIterable<Uint8Array>;

export function isByteStream(message: unknown): message is ByteStream {
  return typeof message === "object" && message !== null && Symbol.asyncIterator in message;
}

/** The chunks of a stream. @throws SidesocketError `invalid_request` for one that is no bytes */
export async function* chunksIn(stream: ByteStream): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of stream) {
    if (chunk instanceof Uint8Array) yield chunk;
    else throw refused("invalid_request", `the stream must have chunks that are Uint8Arrays, not ${named(chunk)}`);
  }
}

/**
 * Turns a message into a frame's body; an object into JSON.
 * @throws SidesocketError `invalid_request` for a value that is no message
 */
export function bodyOf(message: Sendable): Body {
  if (typeof message === "string" || message instanceof Uint8Array) return message;
  const text = typeof message === "object" && message !== null ? jsonOf(message) : undefined;
  // JSON of a promise, a Map or an ArrayBuffer is an empty object: nobody wants to send that.
  const isEmpty = text === "{}" && !isPlain(message);
  if (text !== undefined && !isEmpty && !ArrayBuffer.isView(message)) return text;
  throw refused(
    "invalid_request",
    `the message must be text, a Uint8Array, or an object for JSON, not ${named(message)}`,
  );
}

/** The text of a reply to a request of the upstream's. @throws SidesocketError for what cannot be one */
export function replyText(reply: Sendable): string {
  const body = bodyOf(reply);
  if (typeof body === "string") return body;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw refused("invalid_request", "the reply must be text, or bytes in UTF-8");
  }
}

function jsonOf(message: object): string | undefined {
  try {
    return JSON.stringify(message);
  } catch (error) {
    throw refused("invalid_request", `the message cannot be written as JSON: ${(error as Error).message}`);
  }
}

function isPlain(message: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(message);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function named(message: unknown): string {
  if (typeof message !== "object" || message === null) return String(message === null ? null : typeof message);
  return `a ${message.constructor?.name ?? "value"}`;
}
