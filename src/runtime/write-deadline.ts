/** The deadline of readers for complete responses, however small: one that takes nothing is cut. */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { sentBy } from "../net/sent-bytes.ts";

/** How long a reader may take nothing, in milliseconds. */
const STUCK_MS = 10_000;

interface Progress {
  readonly sent: number;
  readonly at: number;
}

/** Streams, and responses that are written in pieces, have a deadline of their own until they end. */
export class WriteDeadline {
  readonly #progress = new WeakMap<Socket, Progress>();

  /** True if the reader has taken nothing of a complete response for too long. Call it about once a second. */
  isOver(socket: Socket, now: number): boolean {
    const { _httpMessage: writing } = socket as { readonly _httpMessage?: ServerResponse | null };
    if (!writing?.writableEnded) {
      this.#progress.delete(socket);
      return false;
    }
    const sent = sentBy(socket);
    const last = this.#progress.get(socket);
    if (last?.sent === sent) return now - last.at >= STUCK_MS;
    this.#progress.set(socket, { sent, at: now });
    return false;
  }
}
