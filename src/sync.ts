/** Blocking calls: the library for threads that were given a line by a sidecar's host. */

import { workerData } from "node:worker_threads";
import { refused, SidesocketError } from "./errors.ts";
import type { RpcParams, SubscriptionOrder } from "./library/async-upstream.ts";
import { BlockingSubscription } from "./library/blocking-subscription.ts";
import { callOptions, timeoutOf } from "./library/call-options.ts";
import type { UnsubscribeOptions } from "./library/message-subscription.ts";
import { demandKnown } from "./library/option-names.ts";
import { demandForm, type ReplyAs, type ReplyForm, replyAs } from "./library/pending-reply.ts";
import { randomName } from "./library/random-name.ts";
import { demandSent, replyValue, validTimeout } from "./library/reply-value.ts";
import { rpcRequest, rpcResult } from "./library/rpc-call.ts";
import { bodyOf, type Sendable } from "./library/sendable.ts";
import { BlockingCaller, type HostBeside } from "./sidecar/caller/blocking-caller.ts";
import { type Line, SCRIPT_LINES } from "./sidecar/line.ts";
import {
  cursorAhead,
  messageOf,
  type ReadSelection,
  readSelection,
  type UpstreamMessage,
} from "./sidecar/upstream-message.ts";

export type { ErrorCode, Failure, Sent } from "./errors.ts";
export { SidesocketError } from "./errors.ts";
export type { RpcParams, SubscriptionOrder } from "./library/async-upstream.ts";
export type { BlockingSubscription } from "./library/blocking-subscription.ts";
export type { ReplyAs, ReplyForm } from "./library/pending-reply.ts";
export type { Sendable } from "./library/sendable.ts";
export type { Body } from "./protocols/protocol.ts";
export type { Line } from "./sidecar/line.ts";
export type { UpstreamMessage } from "./sidecar/upstream-message.ts";

export interface BlockingRpcOptions {
  /** Time to wait for the reply, in milliseconds: from 1 to 2^31 - 1, by default 25,000. */
  readonly timeoutMs?: number;
}

export interface BlockingRequestOptions<As extends ReplyForm = ReplyForm> extends BlockingRpcOptions {
  /** The form of the reply: `text`, `bytes`, the value of its `json`, or, by default, its `frame` as it came. */
  readonly as?: As;
}

export interface BlockingSendOptions extends BlockingRpcOptions {
  /** Waits for the peer's pong to a ping that follows the message, which proves that the peer received it. */
  readonly confirm?: boolean;
}

export interface BlockingMessagesOptions extends ReadSelection {
  /** The name of a subscription, to read its messages; by default those that no subscription claims. */
  readonly subscription?: string;
  /** Ends the iteration once no message has come for so long, in milliseconds. By default it waits until the exit. */
  readonly idleMs?: number;
}

export interface BlockingSubscribeOptions extends BlockingRpcOptions, Omit<BlockingMessagesOptions, "subscription"> {}

/** The calls of an upstream that return when they are done, and let nothing else run on their thread meanwhile. */
export interface BlockingUpstream extends Disposable {
  /**
   * Sends one message and returns its reply: a string for a text frame, bytes for a binary one; for a batch the text
   * of a JSON array; for a message that gets no reply an empty string, once it was handed to the socket.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  requestSync<As extends ReplyForm = "frame">(message: Sendable, options?: BlockingRequestOptions<As>): ReplyAs<As>;
  /**
   * Calls a method by JSON-RPC 2.0 and returns its result.
   * @throws SidesocketError as `requestSync` does, and `rpc_error` for an error of the upstream, which is its `rpc`
   */
  rpcSync<Result = unknown>(method: string, params?: RpcParams, options?: BlockingRpcOptions): Result;
  /**
   * Sends one message without waiting for a reply. Returns when it was handed to the socket; with `confirm`, when the
   * peer has proved that it received it.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  sendSync(message: Sendable, options?: BlockingSendOptions): void;
  /**
   * Iterates over the unsolicited messages of the upstream, in order, until the exit. Missed messages are reported as a
   * gap in their place.
   * @throws SidesocketError with the code `invalid_request` if the cursor or a pointer is invalid, or `not_found` for
   *   an unknown subscription
   */
  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void>;
  /**
   * Subscribes, and returns an iterator over the messages of the subscription once the upstream has agreed. It is
   * renewed on every reconnect. To leave the iteration unsubscribes.
   * @throws SidesocketError if the upstream does not agree in time: nothing is left of the subscription then
   */
  subscribeSync(order: SubscriptionOrder, options?: BlockingSubscribeOptions): BlockingSubscription;
  /**
   * Removes a subscription by its name, and returns when the upstream has agreed, or there was nothing to tell it.
   * @throws SidesocketError if it did not, though the subscription is removed all the same; `not_found` without one
   */
  unsubscribeSync(name: string, options?: UnsubscribeOptions): void;
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

const scriptUpstreams = new Map<string, BlockingUpstream>();

/**
 * An upstream of the script that `sidesocket run` has started, by its name in the configuration. Only for the script's
 * own thread, which gets the same object each time.
 * @throws SidesocketError `not_found` for an unknown name, or if the script was not started so
 */
export function upstream(name = "default"): BlockingUpstream {
  const data = workerData as { readonly [SCRIPT_LINES]?: ReadonlyMap<string, Line> } | null;
  const lines = data?.[SCRIPT_LINES];
  if (!lines) throw refused("not_found", "this thread was not started by `sidesocket run`: use attach(line)");
  const [only] = lines.values();
  const line = lines.get(name) ?? (name === "default" && lines.size === 1 ? only : undefined);
  if (!line) throw refused("not_found", `unknown upstream "${name}" (configured: ${[...lines.keys()].join(", ")})`);
  const known = scriptUpstreams.get(name) ?? attach(line);
  scriptUpstreams.set(name, known);
  return known;
}

interface JournalReading extends Omit<BlockingMessagesOptions, "subscription"> {
  readonly journal?: string | undefined;
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

  requestSync<As extends ReplyForm = "frame">(
    message: Sendable,
    options: BlockingRequestOptions<As> = {},
  ): ReplyAs<As> {
    demandKnown(options, { timeoutMs: true, as: true }, "requestSync");
    const as = options.as ?? ("frame" as As);
    demandForm(as);
    return replyAs(replyValue(this.#caller.request("request", bodyOf(message), timeoutOf(options))), as);
  }

  rpcSync<Result = unknown>(method: string, params?: RpcParams, options: BlockingRpcOptions = {}): Result {
    demandKnown(options, { timeoutMs: true }, "rpcSync");
    return rpcResult<Result>(
      replyValue(this.#caller.request("rpc", rpcRequest(method, params, 1), timeoutOf(options))),
    );
  }

  sendSync(message: Sendable, options: BlockingSendOptions = {}): void {
    demandKnown(options, { timeoutMs: true, confirm: true }, "sendSync");
    demandSent(this.#caller.request(options.confirm ? "confirm" : "send", bodyOf(message), timeoutOf(options)));
  }

  *messagesSync(options: BlockingMessagesOptions = {}): Generator<UpstreamMessage, void> {
    demandKnown(options, { after: true, where: true, has: true, idleMs: true, subscription: true }, "messagesSync");
    const { subscription: journal, ...reading } = options;
    if (yield* this.#read({ ...reading, journal })) return;
    if (journal !== undefined) throw refused("not_found", `unknown subscription ${JSON.stringify(journal)}`);
  }

  subscribeSync(order: SubscriptionOrder, options: BlockingSubscribeOptions = {}): BlockingSubscription {
    demandKnown(options, { timeoutMs: true, after: true, where: true, has: true, idleMs: true }, "subscribeSync");
    const { name = randomName("s") } = order;
    const { timeoutMs, ...reading } = options;
    const made = this.#caller.subscribe(name, bodyOf({ ...order, name }) as string, timeoutOf(options));
    if ("code" in made) throw new SidesocketError(made);
    return new BlockingSubscription(name, this.#subscribed({ ...reading, journal: name }), {
      remove: (removal) => this.unsubscribeSync(name, removal),
      leave: () => {
        if (made.created) this.#caller.leave(name);
      },
    });
  }

  /** Removed meanwhile, it has nothing to read: that is the end, and no error. */
  *#subscribed(reading: JournalReading): Generator<UpstreamMessage, void> {
    yield* this.#read(reading);
  }

  unsubscribeSync(name: string, options: UnsubscribeOptions = {}): void {
    const failure = this.#caller.unsubscribe(name, callOptions.unsubscribe(options).timeoutMs);
    if (failure) throw new SidesocketError(failure);
  }

  /** @returns false if there was no such journal from the beginning */
  *#read({ idleMs, journal, ...selection }: JournalReading): Generator<UpstreamMessage, boolean> {
    const { start, rules } = readSelection(selection);
    const boundMs = idleMs === undefined ? Number.POSITIVE_INFINITY : validTimeout(idleMs, "idleMs");
    let after = start;
    let begun = false;
    let idleFrom = performance.now();
    // The first read does not wait: it turns `latest` into a place that later reads start from.
    for (let waitMs = 0; ; waitMs = Math.min(WAIT_MS, idleFrom + boundMs - performance.now())) {
      // Pages without messages come, too: those of a filter that has looked far ahead.
      if (waitMs < 0) return true;
      const page = this.#caller.read({ journal, after, limit: PAGE_LIMIT, where: rules }, waitMs);
      if (page === undefined) continue;
      if (page === "nowhere") return begun;
      if (page === "ahead") throw refused("invalid_request", cursorAhead);
      if ("code" in page) {
        if (page.code === "shutting_down") return true;
        // The next thread's journal begins with a gap for what was lost with this one.
        if (page.code === "sidecar_crashed" && page.sent === "maybe") continue;
        throw new SidesocketError(page);
      }
      begun = true;
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
