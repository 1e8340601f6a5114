/** Blocking calls: the library for threads that were given a line by a sidecar's host. */

import { DEFAULT_TIMEOUT_MS } from "./core/outcome.ts";
import { refused, SidesocketError } from "./errors.ts";
import type { Body } from "./protocols/protocol.ts";
import { demandSent, replyValue, validTimeout } from "./reply-value.ts";
import { BlockingCaller, type HostBeside } from "./sidecar/caller/blocking-caller.ts";
import type { Line } from "./sidecar/line.ts";
import {
  cursorAhead,
  messageOf,
  type ReadSelection,
  readSelection,
  type UpstreamMessage,
} from "./sidecar/upstream-message.ts";

export type { ErrorCode, Failure, Sent } from "./errors.ts";
export { SidesocketError } from "./errors.ts";
export type { Body } from "./protocols/protocol.ts";
export type { Line } from "./sidecar/line.ts";
export type { UpstreamMessage } from "./sidecar/upstream-message.ts";

export interface BlockingRequestOptions {
  /** Time to wait for the reply, in milliseconds: from 1 to 2^31 - 1, by default 25,000. */
  readonly timeoutMs?: number;
}

export interface BlockingSendOptions extends BlockingRequestOptions {
  /** Waits for the peer's pong to a ping that follows the message, which proves that the peer received it. */
  readonly confirm?: boolean;
}

export interface BlockingMessagesOptions extends ReadSelection {
  /** Ends the iteration once no message has come for so long, in milliseconds. By default it waits until the exit. */
  readonly idleMs?: number;
}

/** The calls of an upstream that return when they are done, and let nothing else run on their thread meanwhile. */
export interface BlockingUpstream extends Disposable {
  /**
   * Sends one message and returns its reply: a string for a text frame, bytes for a binary one; for a batch the text
   * of a JSON array; for a message that gets no reply an empty string, once it was handed to the socket.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  requestSync(message: Body, options?: BlockingRequestOptions): Body;
  /**
   * Sends one message without waiting for a reply. Returns when it was handed to the socket; with `confirm`, when the
   * peer has proved that it received it.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  sendSync(message: Body, options?: BlockingSendOptions): void;
  /**
   * Iterates over the unsolicited messages of the upstream, in order, until the exit. Missed messages are reported as a
   * gap in their place.
   * @throws SidesocketError with the code `invalid_request` if the cursor or a pointer is invalid
   */
  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void>;
  /** Gives the line back. */
  close(): void;
}

/**
 * Takes up a line that the host's thread has made with `sidecar.line()` and posted here. A line has one caller: make
 * one for each thread.
 */
export function attach(line: Line): BlockingUpstream {
  return new LineUpstream(line);
}

/** The most entries of a page. */
const PAGE_LIMIT = 1_000;
/** The longest single wait for a page; the next one follows. */
const WAIT_MS = 60_000;

/** @internal */
export class LineUpstream implements BlockingUpstream {
  readonly #caller: BlockingCaller;

  /** @param beside the host of the line, if it lives on this thread */
  constructor(line: Line, beside?: HostBeside) {
    this.#caller = new BlockingCaller(line, beside);
  }

  requestSync(message: Body, { timeoutMs = DEFAULT_TIMEOUT_MS }: BlockingRequestOptions = {}): Body {
    return replyValue(this.#caller.request("request", message, validTimeout(timeoutMs)));
  }

  sendSync(message: Body, options: BlockingSendOptions = {}): void {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, confirm = false } = options;
    demandSent(this.#caller.request(confirm ? "confirm" : "send", message, validTimeout(timeoutMs)));
  }

  *messagesSync({ idleMs, ...selection }: BlockingMessagesOptions = {}): Generator<UpstreamMessage, void> {
    const { start, rules } = readSelection(selection);
    const boundMs = idleMs === undefined ? Number.POSITIVE_INFINITY : validTimeout(idleMs, "idleMs");
    let after = start;
    let idleFrom = performance.now();
    // The first read does not wait: it turns `latest` into a place that later reads start from.
    for (let waitMs = 0; ; waitMs = Math.min(WAIT_MS, idleFrom + boundMs - performance.now())) {
      // Pages without messages come, too: those of a filter that has looked far ahead.
      if (waitMs < 0) return;
      const page = this.#caller.read(after, PAGE_LIMIT, rules, waitMs);
      if (page === undefined) continue;
      if (page === "nowhere") return;
      if (page === "ahead") throw refused("invalid_request", cursorAhead);
      if ("code" in page) {
        if (page.code === "shutting_down") return;
        // The next thread's journal begins with a gap for what was lost with this one.
        if (page.code === "sidecar_crashed" && page.sent === "maybe") continue;
        throw new SidesocketError(page);
      }
      after = { epoch: page.epoch, seq: page.next };
      for (const entry of page.entries) yield messageOf(page.epoch, entry);
      if (page.entries.length > 0) idleFrom = performance.now();
    }
  }

  close(): void {
    this.#caller.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
