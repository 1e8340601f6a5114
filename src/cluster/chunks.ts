/** Messages in numbered chunks, so that any length passes the bus, and that a chunk which is missing is noticed. */

import { Buffer } from "node:buffer";
import { readUint32, writeUint32 } from "./uint32.ts";

/** Small enough for the default `max_payload` of 1 MiB, and not to keep others on the connection waiting. */
export const CHUNK_BYTES = 256 * 1024;

/** `part` goes on in the next chunk. The asker sends `whole` and `end`, the other side all but `end`. */
export const KINDS = ["part", "whole", "last", "end", "lost", "nobody"] as const;
export type Kind = (typeof KINDS)[number];

/** One byte for the kind, four for the number. */
const HEADER_BYTES = 5;

export interface Chunk {
  readonly kind: Kind;
  /** Counts the chunks of one direction of an exchange, from 0. */
  readonly index: number;
  readonly data: Uint8Array;
}

/** @returns undefined if it is not a chunk */
export function readChunk(bytes: Uint8Array): Chunk | undefined {
  const kind = KINDS[bytes[0] ?? KINDS.length];
  if (kind === undefined || bytes.length < HEADER_BYTES) return undefined;
  return { kind, index: readUint32(bytes, 1), data: bytes.subarray(HEADER_BYTES) };
}

export function writeChunk({ kind, index, data }: Chunk): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + data.length);
  bytes[0] = KINDS.indexOf(kind);
  writeUint32(bytes, 1, index);
  bytes.set(data, HEADER_BYTES);
  return bytes;
}

/** One direction of an exchange, at its sender. */
export class ChunkWriter {
  #next = 0;

  write(kind: Exclude<Kind, "part">, message: Uint8Array = new Uint8Array()): readonly Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let from = 0; ; from += CHUNK_BYTES) {
      const isEnd = from + CHUNK_BYTES >= message.length;
      const data = message.subarray(from, from + CHUNK_BYTES);
      chunks.push(writeChunk({ kind: isEnd ? kind : "part", index: this.#next++, data }));
      if (isEnd) return chunks;
    }
  }
}

/** A message that is complete, or `undefined` if more of it is to come. */
export type ReadMessage = { readonly kind: Exclude<Kind, "part">; readonly message: Uint8Array } | undefined;

/** One direction of an exchange, at its receiver. */
export class ChunkReader {
  readonly #limit: number;
  #next = 0;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** `limit`: bytes of a message, at most. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns "lost" from the chunk on before which one is missing, or with which the message is too long */
  read({ kind, index, data }: Chunk): ReadMessage | "lost" {
    this.#bytes += data.length;
    if (index !== this.#next || this.#bytes > this.#limit) {
      this.#next = Number.NaN;
      return "lost";
    }
    this.#next += 1;
    if (kind === "part") {
      this.#parts.push(data);
      return undefined;
    }
    const message = this.#parts.length === 0 ? data : joined([...this.#parts, data], this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return { kind, message };
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
