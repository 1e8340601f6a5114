/** WebSocket frames (RFC 6455 section 5), valid ones and every invalid one. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame to send. Nothing is checked: illegal values go out as they are. */
export interface FrameSpec {
  readonly opcode: number;
  readonly payload?: string | Uint8Array;
  /** True unless given. */
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7: 4 is RSV1. */
  readonly rsv?: number;
  /** Servers must not mask; a client must. */
  readonly mask?: boolean;
  /** The length that the header declares, if it differs from the payload's. */
  readonly declaredLength?: number | bigint;
  /** The size of the length field, if it is not the shortest that fits. */
  readonly lengthBits?: 7 | 16 | 64;
}

/** A received frame. */
export interface Frame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  /** The unmasked payload. */
  readonly payload: Buffer;
  /** `performance.now()` when its last byte was read. */
  readonly at: number;
}

export interface CloseStatus {
  /** 1005 if the close frame carried no code. */
  readonly code: number;
  readonly reason: string;
}

export function encodeFrame(spec: FrameSpec): Buffer {
  const payload = typeof spec.payload === "string" ? Buffer.from(spec.payload) : (spec.payload ?? Buffer.alloc(0));
  const declared = BigInt(spec.declaredLength ?? payload.length);
  const bits = spec.lengthBits ?? (declared < 126n ? 7 : declared < 65_536n ? 16 : 64);
  const header = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  header[0] = (spec.fin === false ? 0 : 0x80) | ((spec.rsv ?? 0) << 4) | spec.opcode;
  header[1] = (spec.mask ? 0x80 : 0) | (bits === 7 ? Number(declared) : bits === 16 ? 126 : 127);
  if (bits === 16) header.writeUInt16BE(Number(declared), 2);
  if (bits === 64) header.writeBigUInt64BE(declared, 2);
  if (!spec.mask) return Buffer.concat([header, payload]);
  const key = randomBytes(4);
  return Buffer.concat([header, key, masked(payload, key)]);
}

function masked(payload: Uint8Array, key: Uint8Array): Buffer {
  const out = Buffer.from(payload);
  for (let at = 0; at < out.length; at += 1) out[at] = (out[at] ?? 0) ^ (key[at % 4] ?? 0);
  return out;
}

/** Builds the payload of a close frame with any code; undefined gives the empty payload, which reads as 1005. */
export function closePayload(code?: number, reason: string | Uint8Array = ""): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const text = typeof reason === "string" ? Buffer.from(reason) : reason;
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code, 0);
  payload.set(text, 2);
  return payload;
}

export function readClose(payload: Buffer): CloseStatus {
  if (payload.length < 2) return { code: 1005, reason: "" };
  return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString("utf8") };
}

/** Parser that takes bytes in any pieces and returns the frames that they complete. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;
  #need = 2;

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    // Joining only when a frame may be complete keeps a large frame in many chunks linear.
    while (this.#length >= this.#need) {
      const buffer = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
      const next = readFrame(buffer);
      const rest = typeof next === "number" ? buffer : buffer.subarray(next.length);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      this.#need = typeof next === "number" ? next : 2;
      if (typeof next !== "number") frames.push(next.frame);
    }
    return frames;
  }
}

/** Reads the first frame of the buffer, or returns how many bytes it needs. */
function readFrame(buffer: Buffer): { readonly frame: Frame; readonly length: number } | number {
  if (buffer.length < 2) return 2;
  const first = buffer.readUInt8(0);
  const second = buffer.readUInt8(1);
  const isMasked = (second & 0x80) !== 0;
  const short = second & 0x7f;
  const headerLength = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (isMasked ? 4 : 0);
  if (buffer.length < headerLength) return headerLength;
  const size = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
  const length = headerLength + size;
  if (buffer.length < length) return length;
  const raw = buffer.subarray(headerLength, length);
  const payload = isMasked ? masked(raw, buffer.subarray(headerLength - 4, headerLength)) : Buffer.from(raw);
  const frame: Frame = {
    fin: (first & 0x80) !== 0,
    rsv: (first >> 4) & 7,
    opcode: first & 0x0f,
    masked: isMasked,
    payload,
    at: performance.now(),
  };
  return { frame, length };
}
