/** A blocking caller of an upstream: sleeps on its line until the outcome is there. */

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { HOLD_MS } from "../../core/exchange/send-queue.ts";
import type { Page, Start } from "../../core/messages/journal.ts";
import type { Outcome, RequestKind } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";
import type { Rule } from "../../protocols/condition.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { MessageBatch } from "../batching.ts";
import type { FromThread, NoPage, ToThread } from "../contract.ts";
import { BeatWatch, end, firstNumber, type Line, SILENT_MS, SLICE_MS, type Supply, Word } from "../line.ts";
import { packToThread, type RowFromThread, unpackFromThread } from "../message-codec.ts";

/** How long the thread may take to report that a deadline has passed: it knows whether the message was sent. */
const GRACE_MS = 50;
/** The time in which the thread replies to a read that does not wait for messages. */
const PROMPT_MS = 1_000;

type Reply = Extract<FromThread, { type: "settled" | "page" }>;

/** The host of the line, if it lives on the caller's own thread: it cannot restart the sidecar's thread meanwhile. */
export interface HostBeside {
  /** Posts what waits for the end of the turn. */
  flush(): void;
  /** The caller has found that the thread hangs. */
  hung(detail: string): void;
}

export class BlockingCaller {
  readonly #line: Line;
  readonly #words: Int32Array;
  readonly #beside: HostBeside | undefined;
  #port: MessagePort | undefined;
  /** The number of the thread that the port leads to; 0 before the first. */
  #thread = 0;
  #lastSeq: number;

  constructor(line: Line, beside?: HostBeside) {
    this.#line = line;
    this.#words = new Int32Array(line.words);
    this.#beside = beside;
    this.#lastSeq = firstNumber(line.id);
    // Read only when the caller wants to: the port must not keep its program alive.
    line.supply.unref();
  }

  /** Sends a request and sleeps until its outcome is there, at most until the timeout. */
  request(kind: RequestKind, body: Body, timeoutMs: number): Outcome {
    const deadline = performance.now() + timeoutMs;
    const seq = ++this.#lastSeq;
    const command: ToThread = { type: "request", upstream: this.#line.upstream, seq, kind, body, deadline };
    const reply = this.#exchange(command, seq, deadline);
    if ("code" in reply) return { type: "failed", failure: reply };
    if (reply.type === "settled") return reply.outcome;
    throw new TypeError(`a request was replied to with a ${reply.type}`);
  }

  /**
   * Reads the next page of the messages that no subscription claims; sleeps until there is one, at most `timeoutMs`.
   * @returns undefined if there is none in time
   */
  read(after: Start, limit: number, where: readonly Rule[], timeoutMs: number): Page | NoPage | Failure | undefined {
    const seq = ++this.#lastSeq;
    const { upstream } = this.#line;
    const wait = timeoutMs > 0;
    const command: ToThread = { type: "read", upstream, seq, journal: "", after, limit, where, wait };
    const reply = this.#exchange(command, seq, performance.now() + (wait ? timeoutMs : PROMPT_MS));
    if ("code" in reply) {
      if (reply.code !== "reply_timeout") return reply;
      this.#post({ type: "cancelRead", upstream, seq });
      return undefined;
    }
    if (reply.type === "page") return reply.page;
    throw new TypeError(`a read was replied to with a ${reply.type}`);
  }

  /** Ends the line. A later request is refused. */
  close(): void {
    Atomics.store(this.#words, Word.closed, 1);
    this.#port?.close();
    this.#line.supply.close();
  }

  #exchange(command: ToThread, seq: number, deadline: number): Reply | Failure {
    this.#beside?.flush();
    const thread = this.#openThread(deadline);
    if (typeof thread !== "number") return thread;
    this.#post(command);
    const beats = new BeatWatch(this.#words, performance.now());
    for (;;) {
      const bell = Atomics.load(this.#words, Word.bell);
      // In this order: a thread posts its last outcomes before it ends.
      const hasEnded = Atomics.load(this.#words, Word.ended) >= thread;
      const reply = this.#take(seq);
      if (reply) return reply;
      if (hasEnded) return crashed("it ended while the request waited");
      const now = performance.now();
      if (now >= deadline + GRACE_MS) return unreported;
      if (beats.silentMs(now) >= SILENT_MS) return this.#hung(`it did not respond for ${SILENT_MS / 1_000} s`);
      Atomics.wait(this.#words, Word.bell, bell, Math.min(SLICE_MS, Math.max(1, deadline + GRACE_MS - now)));
    }
  }

  /** The next call waits for the next thread: whoever supervises this one ends it. */
  #hung(detail: string): Failure {
    end(this.#words, this.#thread);
    this.#beside?.hung(detail);
    return crashed(detail);
  }

  /** @returns the number of the thread that the port now leads to, once there is one */
  #openThread(deadline: number): number | Failure {
    const until = Math.min(deadline, performance.now() + HOLD_MS);
    for (;;) {
      const bell = Atomics.load(this.#words, Word.bell);
      if (Atomics.load(this.#words, Word.closed) === 1) return closed;
      this.#takeSupply();
      if (Atomics.load(this.#words, Word.ended) < this.#thread) return this.#thread;
      const now = performance.now();
      if (this.#beside) return restarting("it needs a turn of this thread's event loop: await something");
      if (now >= until) return restarting("it was not there in time");
      Atomics.wait(this.#words, Word.bell, bell, Math.max(1, until - now));
    }
  }

  /** Takes the newest port that the host has posted. */
  #takeSupply(): void {
    for (let found = receiveMessageOnPort(this.#line.supply); found; found = receiveMessageOnPort(this.#line.supply)) {
      this.#port?.close();
      const { port, thread } = (found as { readonly message: Supply }).message;
      this.#port = port;
      this.#thread = thread;
    }
  }

  #post(message: ToThread): void {
    const row: unknown[] = [];
    packToThread(message, row, []);
    this.#port?.postMessage({ at: performance.now(), row });
  }

  /** Looks for the reply to this request. Those of earlier ones, which came late, are dropped. */
  #take(seq: number): Reply | undefined {
    let reply: Reply | undefined;
    while (this.#port && !reply) {
      const found = receiveMessageOnPort(this.#port);
      if (!found) break;
      const { row } = (found as { readonly message: MessageBatch<RowFromThread> }).message;
      unpackFromThread(row, (message) => {
        if ((message.type === "settled" || message.type === "page") && message.seq === seq) reply = message;
      });
    }
    return reply;
  }
}

const closed: Failure = {
  code: "shutting_down",
  sent: "no",
  detail: "the line was closed, or its sidecar has exited, is about to, or was given up",
};

const unreported: Failure = {
  code: "reply_timeout",
  sent: "maybe",
  detail: "no reply came in time, and the sidecar's thread did not respond",
};

function crashed(why: string): Failure {
  return { code: "sidecar_crashed", sent: "maybe", detail: `the sidecar's thread died: ${why}` };
}

function restarting(why: string): Failure {
  return { code: "sidecar_crashed", sent: "no", detail: `the sidecar's thread is being restarted: ${why}` };
}
