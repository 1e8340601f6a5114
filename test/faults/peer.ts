/** One connection of the fault upstream: a record of what arrived and when, and every fault that can be done to it. */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import {
  type CloseStatus,
  closePayload,
  encodeFrame,
  type Frame,
  FrameReader,
  type FrameSpec,
  OPCODE,
  readClose,
} from "./frames.ts";
import type { UpgradeRequest } from "./handshake.ts";
import { reset } from "./reset.ts";

export type Phase = "handshake" | "open" | "ended";

export class Peer {
  /** Counted from 1 over the upstream's life. */
  readonly number: number;
  /** `performance.now()` when the TCP connection was made. */
  readonly since = performance.now();
  readonly socket: Socket;
  /** Every received frame, control frames included. */
  readonly frames: Frame[] = [];
  phase: Phase = "handshake";
  request: UpgradeRequest | undefined;
  /** How the client ended TCP; undefined if it has not, or if we ended it first. */
  clientEnded: "fin" | "reset" | undefined;
  endedAt: number | undefined;
  readonly #reader = new FrameReader();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(number: number, socket: Socket) {
    this.number = number;
    this.socket = socket;
  }

  /** The payloads of the text frames. */
  get texts(): string[] {
    return this.#payloads(OPCODE.text).map((payload) => payload.toString("utf8"));
  }

  /** The text frames parsed as JSON. */
  get messages(): unknown[] {
    return this.texts.map((text) => JSON.parse(text) as unknown);
  }

  get pings(): Buffer[] {
    return this.#payloads(OPCODE.ping);
  }

  get pongs(): Buffer[] {
    return this.#payloads(OPCODE.pong);
  }

  /** The client's close frame; undefined if none came. */
  get closeFrame(): CloseStatus | undefined {
    const [payload] = this.#payloads(OPCODE.close);
    return payload === undefined ? undefined : readClose(payload);
  }

  #payloads(opcode: number): Buffer[] {
    return this.frames.filter((frame) => frame.opcode === opcode).map((frame) => frame.payload);
  }

  /** Writes bytes as they are. Does nothing once the connection is over, since a scheduled fault may come too late. */
  raw(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  frame(spec: FrameSpec): void {
    this.raw(encodeFrame(spec));
  }

  text(payload: string | Uint8Array): void {
    this.frame({ opcode: OPCODE.text, payload });
  }

  json(value: unknown): void {
    this.text(JSON.stringify(value));
  }

  binary(payload: Uint8Array): void {
    this.frame({ opcode: OPCODE.binary, payload });
  }

  ping(payload: string | Uint8Array = ""): void {
    this.frame({ opcode: OPCODE.ping, payload });
  }

  pong(payload: string | Uint8Array = ""): void {
    this.frame({ opcode: OPCODE.pong, payload });
  }

  /** Sends a close frame with any code, legal or not. TCP stays as it is. */
  close(code?: number, reason: string | Uint8Array = ""): void {
    this.frame({ opcode: OPCODE.close, payload: closePayload(code, reason) });
  }

  /** Sends FIN after what was written, and goes on reading. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST; unread data is lost. */
  reset(): void {
    reset(this.socket);
  }

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Stops reading; the client's writes jam once the kernel's buffers are full. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Runs an action after a delay, unless the connection is over by then. */
  later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.phase !== "ended") action();
    }, ms);
    this.#timers.add(timer);
  }

  /** For the upstream: takes bytes, records the frames that they complete and returns them. */
  take(chunk: Buffer): Frame[] {
    const frames = this.#reader.push(chunk);
    this.frames.push(...frames);
    return frames;
  }

  /** For the upstream: marks the connection as over. */
  over(): void {
    this.phase = "ended";
    this.endedAt ??= performance.now();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
