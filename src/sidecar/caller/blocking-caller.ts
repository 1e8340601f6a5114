/** A blocking caller of an upstream: sleeps on its line until the outcome is there. */

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { HOLD_MS } from "../../core/exchange/send-queue.ts";
import type { Page, Start } from "../../core/messages/journal.ts";
import type { Outcome, RequestKind } from "../../core/outcome.ts";
import { type HiddenMessage, hidden, shown } from "../../core/util/hidden-message.ts";
import type { Failure } from "../../errors.ts";
import type { Rule } from "../../protocols/condition.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { MessageBatch } from "../batching.ts";
import type { FromThread, NoPage, ToThread } from "../contract.ts";
import {
  BeatWatch,
  end,
  firstNumber,
  type Line,
  type LineOrder,
  type OrderReply,
  SILENT_MS,
  SLICE_MS,
  type Supply,
  Word,
} from "../line.ts";
import { LineSlips } from "../line-slips.ts";
import { packToThread, type RowFromThread, unpackFromThread } from "../message-codec.ts";
import { UpstreamNumbers } from "../upstream-numbers.ts";

/** A line outlives threads, which number their upstreams anew: its messages name them. */
const UNNUMBERED = new UpstreamNumbers();
const packByName = packToThread(UNNUMBERED);

/** How long the thread may take to report that a deadline has passed: it knows whether the message was sent. */
const GRACE_MS = 50;
/** The time in which the thread replies to a read that does not wait for messages. */
const PROMPT_MS = 1_000;

type Reply = Extract<FromThread, { type: "settled" | "page" | "unsubscribed" }>;

/** The host of the line, if it lives on the caller's own thread: it cannot restart the sidecar's thread meanwhile. */
export interface HostBeside {
  /** Posts what waits for the end of the turn. */
  flush(): void;
  /** The caller has found that the thread hangs. */
  hung(detail: string): void;
  /** Carries out an order at once. */
  order(order: LineOrder): OrderReply;
}

export interface BlockingRead {
  /** The name of a subscription; by default the main journal is read. */
  readonly journal?: string | undefined;
  readonly after: Start;
  readonly limit: number;
  readonly where: readonly Rule[];
}

export class BlockingCaller {
  readonly #line: Line;
  readonly #words: Int32Array;
  readonly #slips: LineSlips;
  readonly #beside: HostBeside | undefined;
  #port: MessagePort | undefined;
  /** The number of the thread that the port leads to; 0 before the first. */
  #thread = 0;
  /** The replies of the host that have not been taken. */
  #replied: OrderReply[] = [];
  #lastSeq: number;

  constructor(line: Line, beside?: HostBeside) {
    this.#line = line;
    this.#words = new Int32Array(line.words);
    this.#slips = new LineSlips(line);
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
   * Subscribes, and sleeps until the upstream has agreed, at most `timeoutMs`.
   * @returns the failure, if it does not: nothing is left of the subscription then
   */
  subscribe(name: string, order: string, timeoutMs: number): OrderReply | Failure {
    const deadline = performance.now() + timeoutMs;
    const ordered = this.#order({ type: "subscribe", number: ++this.#lastSeq, name, order }, deadline);
    if ("code" in ordered) return ordered;
    const failure = this.#agreement(name, deadline);
    if (!failure) return ordered;
    if (ordered.created) this.leave(name);
    return failure;
  }

  /** @returns the failure, if the upstream has not agreed in time */
  #agreement(name: string, deadline: number): Failure | undefined {
    const { upstream } = this.#line;
    const seq = ++this.#lastSeq;
    let reply = this.#exchange({ type: "agree", upstream, seq, name, wait: true }, seq, deadline);
    if ("code" in reply && reply.code === "reply_timeout") {
      this.#post({ type: "abandon", upstream, seq });
      // The thread knows whether the request has gone out.
      const again = ++this.#lastSeq;
      const until = performance.now() + PROMPT_MS;
      reply = this.#exchange({ type: "agree", upstream, seq: again, name, wait: false }, again, until);
    }
    if ("code" in reply) return reply;
    return reply.type === "settled" && reply.outcome.type === "failed" ? reply.outcome.failure : undefined;
  }

  /**
   * Removes a subscription, and sleeps until the upstream has agreed, at most `timeoutMs`.
   * @returns the failure, if it is not known to have: the subscription is removed all the same
   */
  unsubscribe(name: string, timeoutMs: number): Failure | undefined {
    const deadline = performance.now() + timeoutMs;
    const ordered = this.#order({ type: "unsubscribe", number: ++this.#lastSeq, name }, deadline);
    if ("code" in ordered) return ordered;
    const seq = ++this.#lastSeq;
    const command: ToThread = { type: "unsubscribe", upstream: this.#line.upstream, name, seq };
    const reply = this.#exchange(command, seq, deadline);
    const failure = "code" in reply ? reply : reply.type === "unsubscribed" ? reply.failure : undefined;
    // With the thread its connection has ended, and the subscription with that.
    if (!failure || failure.code === "sidecar_crashed") return undefined;
    return { ...failure, detail: `removed here, but ${failure.detail}` };
  }

  /** Removes a subscription, and does not wait for the upstream's consent. */
  leave(name: string): void {
    const ordered = this.#order({ type: "unsubscribe", number: ++this.#lastSeq, name }, performance.now() + PROMPT_MS);
    if ("code" in ordered) return;
    const seq = ++this.#lastSeq;
    this.#post({ type: "unsubscribe", upstream: this.#line.upstream, name, seq });
  }

  /** Gives the host an order, and sleeps until it is carried out. @returns the failure, if it cannot be */
  #order(order: LineOrder, deadline: number): OrderReply | Failure {
    if (Atomics.load(this.#words, Word.closed) === 1) return closed;
    if (this.#beside) return replyOf(this.#beside.order(order));
    this.#line.supply.postMessage(order);
    for (;;) {
      const bell = Atomics.load(this.#words, Word.bell);
      this.#takeSupply();
      const reply = this.#replied.find(({ number }) => number === order.number);
      this.#replied = [];
      if (reply) return replyOf(reply);
      if (Atomics.load(this.#words, Word.closed) === 1) return closed;
      const now = performance.now();
      if (now >= deadline) return this.#unheard(order);
      Atomics.wait(this.#words, Word.bell, bell, Math.min(SLICE_MS, Math.max(1, deadline - now)));
    }
  }

  /** The host does not turn: what it finds later must not have an effect. */
  #unheard(order: LineOrder): Failure {
    const { type, name } = order;
    if (type === "subscribe") this.#line.supply.postMessage({ type: "unsubscribe", number: ++this.#lastSeq, name });
    return { code: "reply_timeout", sent: "maybe", detail: "the sidecar's host did not respond in time" };
  }

  /**
   * Reads the next page of a journal, by default of the messages that no subscription claims; sleeps until there is
   * one, at most `timeoutMs`.
   * @returns undefined if there is none in time
   */
  read({ after, limit, where, journal = "" }: BlockingRead, timeoutMs: number): Page | NoPage | Failure | undefined {
    const seq = ++this.#lastSeq;
    const { upstream } = this.#line;
    const wait = timeoutMs > 0;
    const command: ToThread = { type: "read", upstream, seq, journal, after, limit, where, wait };
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
      if (Atomics.load(this.#words, Word.opened) > this.#thread) this.#takeSupply();
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
      const { message } = found as { readonly message: Supply | OrderReply };
      if ("number" in message) {
        this.#replied.push(message);
        continue;
      }
      this.#port?.close();
      this.#slips.clear();
      this.#port = message.port;
      this.#thread = message.thread;
    }
  }

  #post(message: ToThread): void {
    const at = performance.now();
    const slip = this.#slips.putRequest(message, at);
    const row: unknown[] = [];
    if (slip === undefined) packByName(message, row, []);
    this.#port?.postMessage(slip ?? hidden({ at, row }));
  }

  /** Looks for the reply to this request. Those of earlier ones, which came late, are dropped. */
  #take(seq: number): Reply | undefined {
    const slip = this.#slips.takeReply();
    if (slip?.seq === seq) return slip;
    let reply: Reply | undefined;
    while (this.#port && !reply) {
      const found = receiveMessageOnPort(this.#port);
      if (!found) break;
      const { row } = shown((found as { readonly message: HiddenMessage<MessageBatch<RowFromThread>> }).message);
      unpackFromThread(row, UNNUMBERED, (message) => {
        const isReply = message.type === "settled" || message.type === "page" || message.type === "unsubscribed";
        if (isReply && message.seq === seq) reply = message;
      });
    }
    return reply;
  }
}

function replyOf(reply: OrderReply): OrderReply | Failure {
  return reply.failure ?? reply;
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
