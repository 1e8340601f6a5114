/** A sidecar in a program of its own: one upstream WebSocket on a thread of its own. */

import { checkedOrder } from "../config/subscription-order.ts";
import type { RequestKind } from "../core/outcome.ts";
import { refused, SidesocketError } from "../errors.ts";
import type { Body } from "../protocols/protocol.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import { acknowledge } from "../sidecar/host/acknowledge.ts";
import { readMessages } from "../sidecar/host/message-iterator.ts";
import { replyToMessage } from "../sidecar/host/reply-to-message.ts";
import { demandUndeclared, subscribe, unsubscribed } from "../sidecar/host/subscribe.ts";
import type { Line } from "../sidecar/line.ts";
import type { UpstreamState } from "../sidecar/reports.ts";
import type { UpstreamMessage } from "../sidecar/upstream-message.ts";
import {
  type BlockingMessagesOptions,
  type BlockingRequestOptions,
  type BlockingRpcOptions,
  type BlockingSendOptions,
  type BlockingSubscribeOptions,
  LineUpstream,
} from "../sync.ts";
import type {
  AsyncSidecar,
  ConnectionState,
  MessagesOptions,
  RequestOptions,
  RpcParams,
  SendOptions,
  SubscribeOptions,
  SubscriptionOrder,
} from "./async-upstream.ts";
import { BlockingSidecar } from "./blocking-sidecar.ts";
import type { BlockingSubscription } from "./blocking-subscription.ts";
import { callOptions } from "./call-options.ts";
import { exit, letProgramEnd, type SidecarExitOptions } from "./ending.ts";
import { type Inner, innerOf } from "./inner.ts";
import { launchOne } from "./launch.ts";
import { MessageSubscription, type UnsubscribeOptions } from "./message-subscription.ts";
import { PendingReply, type ReplyAs, type ReplyForm } from "./pending-reply.ts";
import { randomName } from "./random-name.ts";
import { demandSent, replyValue } from "./reply-value.ts";
import { rpcRequest, rpcResult } from "./rpc-call.ts";
import { sendStream } from "./send-stream.ts";
import { type ByteStream, bodyOf, isByteStream, replyText, type Sendable } from "./sendable.ts";
import type { KeptOptions, SidecarOptions } from "./sidecar-options.ts";

/** Makes a sidecar of what was launched: for this folder, not for users. @internal */
export let sidecarOf: (inner: Inner) => Sidecar;

/** One upstream WebSocket on a thread of its own. */
export class Sidecar implements AsyncSidecar {
  readonly #inner: Inner;
  #own: LineUpstream | undefined;

  private constructor(inner: Inner) {
    innerOf.set(this, inner);
    this.#inner = inner;
  }

  /**
   * Starts the thread, which begins to connect. Resolves when the thread is ready; the upstream may still be
   * connecting, and requests wait up to 5 s for it. End it with `exit()`, or declare it with `await using`.
   * @throws SidesocketError with the code `invalid_config` if an option is invalid or the protocol cannot be loaded, or
   *   `sidecar_crashed` if the thread cannot be kept alive
   */
  static async start({ shutdown, onReport, threadFile, ...options }: SidecarOptions): Promise<Sidecar> {
    const launch = { ...(shutdown && { shutdown }), ...(onReport && { onReport }), ...(threadFile && { threadFile }) };
    return new Sidecar(await launchOne(options, launch));
  }

  /**
   * Starts a sidecar for a program that blocks all the time, and returns when it is ready. A thread of its own, the
   * keeper, runs what `start` runs beside its caller. End it with `exitSync()`, or declare it with `using`; at the end
   * of the program it exits by itself.
   * @throws SidesocketError as `start` does
   */
  static startSync(options: KeptOptions): BlockingSidecar {
    return new BlockingSidecar(options);
  }

  static {
    sidecarOf = (inner) => new Sidecar(inner);
  }

  /** Its name among the sidecars of `createSidecars`; `default` for one that is alone. */
  get name(): string {
    return this.#inner.client.name;
  }

  request(message: Sendable, options: RequestOptions = {}): PendingReply {
    return PendingReply.of(this.#request("request", () => bodyOf(message), options));
  }

  async rpc<Result = unknown>(method: string, params?: RpcParams, options: RequestOptions = {}): Promise<Result> {
    const { protocol } = this.#inner.client;
    if (protocol && protocol.name !== "json-rpc") {
      throw refused("not_found", `the upstream speaks ${protocol.name}, not json-rpc: use request()`);
    }
    return rpcResult(await this.#request("rpc", () => rpcRequest(method, params, 1), options));
  }

  async send(message: Sendable | ByteStream, options: SendOptions = {}): Promise<void> {
    const { timeoutMs, signal, confirm } = callOptions.send(options);
    if (isByteStream(message)) {
      await sendStream(this.#inner, message, { confirms: confirm, timeoutMs, signal });
      return;
    }
    const kind = confirm ? "confirm" : "send";
    const body = owned(bodyOf(message));
    demandSent(await this.#inner.client.request({ kind, body, timeoutMs, signal }));
  }

  messages(options: MessagesOptions = {}): AsyncGenerator<UpstreamMessage, void> {
    return this.#messages(options);
  }

  async *#messages(options: MessagesOptions): AsyncGenerator<UpstreamMessage, void> {
    const { subscription, ...reading } = callOptions.messages(options);
    const { journals, subscriptions } = this.#inner.client;
    if (subscription !== undefined && !subscriptions.get(subscription)) throw unknownSubscription(subscription);
    yield* readMessages(journals, { ...reading, journal: subscription });
  }

  subscribe(order: SubscriptionOrder, options: SubscribeOptions = {}): MessageSubscription {
    const { name = randomName("s") } = order;
    return new MessageSubscription(name, {
      open: () => this.#subscribe(name, order, options),
      // Removed meanwhile, it has nothing to read: that is the end, and no error.
      read: (signal) =>
        readMessages(this.#inner.client.journals, { ...callOptions.selection(options), journal: name, signal }),
      remove: (removal) => this.unsubscribe(name, removal),
    });
  }

  async #subscribe(name: string, order: SubscriptionOrder, options: SubscribeOptions): Promise<boolean> {
    const { timeoutMs, signal: left } = callOptions.subscribe(options);
    const { client, sidecars, front } = this.#inner;
    const { name: _, ...checked } = await checkedOrder({ ...order, name }, "the order");
    if (sidecars.exiting) throw refused("shutting_down", "the sidecar has exited, or is about to");
    left?.throwIfAborted();
    let created = false;
    const admit = () => {
      created = true;
    };
    await subscribe(client, { name, order: checked, timeoutMs, left, stopping: front.stopping, admit });
    return created;
  }

  async unsubscribe(name: string, options: UnsubscribeOptions = {}): Promise<void> {
    const { timeoutMs } = callOptions.unsubscribe(options);
    const { client, front } = this.#inner;
    if (!client.subscriptions.get(name)) throw unknownSubscription(name);
    demandUndeclared(client, name);
    const failure = await unsubscribed(client.subscriptions.remove(name), timeoutMs, front.stopping);
    if (failure) throw new SidesocketError(failure);
  }

  async #request(kind: RequestKind, bodyOfIt: () => Body, options: RequestOptions): Promise<Body> {
    const { timeoutMs, signal } = callOptions.request(options);
    return replyValue(await this.#inner.client.request({ kind, body: owned(bodyOfIt()), timeoutMs, signal }));
  }

  /**
   * Like `request`, but returns when the reply is there; the thread of the caller sleeps meanwhile.
   * @throws SidesocketError also with the code `would_block` if `createApp` serves this sidecar from this thread
   */
  requestSync<As extends ReplyForm = "frame">(message: Sendable, options?: BlockingRequestOptions<As>): ReplyAs<As> {
    return this.#blocking().requestSync(message, options);
  }

  /** Like `rpc`, but returns when the result is there; the thread of the caller sleeps meanwhile. */
  rpcSync<Result = unknown>(method: string, params?: RpcParams, options?: BlockingRpcOptions): Result {
    return this.#blocking().rpcSync<Result>(method, params, options);
  }

  /** Like `send`, but returns when it is done; the thread of the caller sleeps meanwhile. */
  sendSync(message: Sendable, options?: BlockingSendOptions): void {
    this.#blocking().sendSync(message, options);
  }

  /** Like `messages`, but sleeps until the next one is there. */
  messagesSync(options?: BlockingMessagesOptions): Generator<UpstreamMessage, void> {
    return this.#blocking().messagesSync(options);
  }

  /** Like `subscribe`, but returns when the upstream has agreed, and its iterator sleeps until a message is there. */
  subscribeSync(order: SubscriptionOrder, options?: BlockingSubscribeOptions): BlockingSubscription {
    return this.#blocking().subscribeSync(order, options);
  }

  /** Like `unsubscribe`, but returns when the upstream has agreed; the thread of the caller sleeps meanwhile. */
  unsubscribeSync(name: string, options?: UnsubscribeOptions): void {
    this.#blocking().unsubscribeSync(name, options);
  }

  /**
   * Makes a line for another thread, to be posted there with `postMessage(line, [line.supply])`, or as `workerData`;
   * `attach` of `sidesocket/sync` takes it up. All lines and this sidecar share one connection and its limits.
   */
  line(): Line {
    return this.#inner.client.lines.create();
  }

  #blocking(): LineUpstream {
    const { client, front } = this.#inner;
    if (front.serving) {
      throw refused("would_block", "this thread serves HTTP: call it from another thread, by a line()");
    }
    this.#own ??= new LineUpstream(client.lines.create(), client.lines);
    return this.#own;
  }

  async acknowledge(cursor: string, subscription = ""): Promise<number> {
    return await acknowledge(this.#inner.client.journals, subscription, cursor);
  }

  async reply(cursor: string, reply: Sendable): Promise<void> {
    demandSent(await replyToMessage(this.#inner.client, cursor, replyText(reply)));
  }

  /** The current state of the connection. */
  get state(): UpstreamState & { readonly since: Date } {
    return this.#inner.client.state;
  }

  async readState(): Promise<ConnectionState> {
    return this.state;
  }

  /** Calls `listener` at every change of phase. @returns a function that removes the listener */
  on(_event: "state", listener: (state: UpstreamState) => void): () => void {
    return this.#inner.client.onState(listener);
  }

  /**
   * Lets the program end although the sidecar runs: once nothing else keeps it, the sidecar exits, and the program
   * ends. A request that waits for its reply still keeps the program.
   */
  unref(): void {
    letProgramEnd(this.#inner);
  }

  /**
   * Runs the exit protocol, once however often it is called: every caller gets the same report. `force` sets the time
   * limits of the remaining steps to zero.
   */
  async exit(options: SidecarExitOptions = {}): Promise<ExitReport> {
    return await exit(this.#inner, options);
  }

  async close(): Promise<void> {
    await this.exit({ cause: "close()" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exit({ cause: "dispose" });
  }
}

/**
 * Copies bytes: they cross to the thread in a later turn, and until then the caller may change or transfer them. Throws
 * a TypeError for bytes that were transferred before. The message's own `slice` would not do: a Buffer's does not copy.
 */
function owned(message: Body): Body {
  return typeof message === "string" ? message : Uint8Array.prototype.slice.call(message);
}

function unknownSubscription(name: string): SidesocketError {
  return refused("not_found", `unknown subscription ${JSON.stringify(name)}`);
}
