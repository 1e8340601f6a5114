/** An upstream behind HTTP, or an instance of one: the calls that both have. */

import { SidesocketError } from "../errors.ts";
import type {
  AsyncUpstream,
  ConnectionState,
  MessagesOptions,
  RequestOptions,
  RpcParams,
  SendOptions,
  SubscribeOptions,
  SubscriptionOrder,
} from "../library/async-upstream.ts";
import { callOptions } from "../library/call-options.ts";
import { MessageSubscription, type UnsubscribeOptions } from "../library/message-subscription.ts";
import { PendingReply } from "../library/pending-reply.ts";
import { randomName } from "../library/random-name.ts";
import { rpcRequest, rpcResult } from "../library/rpc-call.ts";
import { type ByteStream, bodyOf, chunksIn, isByteStream, replyText, type Sendable } from "../library/sendable.ts";
import type { Body } from "../protocols/protocol.ts";
import type { ReadSelection, UpstreamMessage } from "../sidecar/upstream-message.ts";
import { type Content, contentOf, MessageSender, WAIT_MAX_MS } from "./message-sender.ts";
import { type MessageStreamOptions, streamMessages } from "./message-stream.ts";
import { failureOf, isFailure, type RemoteService } from "./remote-service.ts";

/** How long the service waits for its thread to send answers, in milliseconds. */
const ACKNOWLEDGE_MS = 5_000;
/** How long the service waits for its thread to send a reply, in milliseconds. */
const REPLY_MS = 5_000;

/** How long the service waits for the next bytes of a stream, in milliseconds. */
const STREAM_PAUSE_MS = 30_000;

/** The service of an upstream, and how it is called. */
export interface Reach {
  readonly service: RemoteService;
  readonly repeat: number;
  readonly resumeMs: number;
}

export abstract class RemoteUpstream implements AsyncUpstream {
  readonly #service: RemoteService;
  readonly #path: string;
  readonly #rpcPath: string;
  readonly #sender: MessageSender;
  readonly #resumeMs: number;

  /** @param place its place below `/v1/upstreams/` and `/rpc/` */
  constructor({ service, repeat, resumeMs }: Reach, place: string) {
    this.#service = service;
    this.#path = `/v1/upstreams/${place}`;
    this.#rpcPath = `/rpc/${place}`;
    this.#sender = new MessageSender(service, repeat);
    this.#resumeMs = resumeMs;
  }

  request(message: Sendable, options: RequestOptions = {}): PendingReply {
    return PendingReply.of(this.#request(() => contentOf(message), options));
  }

  async #request(content: () => Content, options: RequestOptions): Promise<Body> {
    const { timeoutMs, signal } = callOptions.request(options);
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    return await this.#sender.request(`${this.#path}/request`, content(), attempt);
  }

  async rpc<Result = unknown>(method: string, params?: RpcParams, options: RequestOptions = {}): Promise<Result> {
    const { timeoutMs, signal } = callOptions.request(options);
    const content = { type: "application/json", body: rpcRequest(method, params, 1) };
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    return rpcResult<Result>(await this.#sender.request(this.#rpcPath, content, attempt));
  }

  async send(message: Sendable | ByteStream, options: SendOptions = {}): Promise<void> {
    const { timeoutMs, signal, confirm } = callOptions.send(options);
    if (isByteStream(message)) {
      await this.#sendStream(message, Math.min(WAIT_MAX_MS, timeoutMs), confirm, signal);
      return;
    }
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    await this.#sender.send(`${this.#path}/send`, confirm ? "confirm=pong" : "", contentOf(message), attempt);
  }

  /** Sent once: what was read of a stream cannot be read again. */
  async #sendStream(stream: ByteStream, eachMs: number, confirms: boolean, signal?: AbortSignal): Promise<void> {
    const path = `${this.#path}/send?timeout=${Math.ceil(eachMs)}ms${confirms ? "&confirm=pong" : ""}`;
    const headers = { "content-type": "application/octet-stream" };
    let broken: { readonly error: unknown } | undefined;
    const body = (async function* () {
      try {
        yield* chunksIn(stream);
      } catch (error) {
        broken = { error };
        throw error;
      }
    })();
    try {
      const call = { method: "POST", path, headers, body, waitMs: eachMs + STREAM_PAUSE_MS, signal } as const;
      await this.#service.call(call, async (response) => {
        if (isFailure(response)) throw await failureOf(response);
      });
    } catch (error) {
      // An error of the stream is its program's own, and not the service's.
      throw broken ? broken.error : error;
    }
  }

  /**
   * Fetches the late reply of a request that has failed with `reply_timeout`, if it comes within `timeoutMs`.
   * @throws SidesocketError the same error again if no reply is kept for it, and `reply_timeout` if it does not come
   */
  lateReply(error: SidesocketError, options: RequestOptions = {}): PendingReply {
    const fetched = async () => {
      const { timeoutMs, signal } = callOptions.request(options);
      return await this.#sender.lateReply(error, { deadline: performance.now() + timeoutMs, signal });
    };
    return PendingReply.of(fetched());
  }

  messages(options: MessagesOptions = {}): AsyncGenerator<UpstreamMessage, void> {
    return this.#messages(options);
  }

  async *#messages(options: MessagesOptions): AsyncGenerator<UpstreamMessage, void> {
    const { subscription, signal, ...selection } = callOptions.messages(options);
    const path =
      subscription === undefined ? `${this.#path}/messages` : `${this.#subscriptionPath(subscription)}/messages`;
    yield* this.#stream({ ...selection, path }, signal);
  }

  /** Reads until the signal aborts, or the client is closed. */
  async *#stream(
    selection: Omit<MessageStreamOptions, "signal" | "resumeMs">,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<UpstreamMessage, void> {
    const ending = new AbortController();
    const end = () => ending.abort();
    const ends = [this.#service.closed, signal].filter((each) => each !== undefined);
    for (const each of ends) each.addEventListener("abort", end, { once: true });
    if (ends.some(({ aborted }) => aborted)) end();
    try {
      yield* streamMessages(this.#service, { ...selection, signal: ending.signal, resumeMs: this.#resumeMs });
    } finally {
      for (const each of ends) each.removeEventListener("abort", end);
    }
  }

  subscribe(order: SubscriptionOrder, options: SubscribeOptions = {}): MessageSubscription {
    const { name = randomName("s") } = order;
    return new MessageSubscription(name, {
      open: () => this.#subscribe({ ...order, name }, options),
      read: (signal) => this.#readSubscription(name, callOptions.selection(options), signal),
      remove: (removal) => this.unsubscribe(name, removal),
    });
  }

  async #subscribe(order: SubscriptionOrder, options: SubscribeOptions): Promise<boolean> {
    const { timeoutMs, signal } = callOptions.subscribe(options);
    const waitMs = Math.min(WAIT_MAX_MS, timeoutMs);
    const headers = { "content-type": "application/json" };
    const path = `${this.#path}/subscriptions?timeout=${Math.ceil(waitMs)}ms`;
    const call = { method: "POST", path, headers, body: bodyOf(order), waitMs, signal } as const;
    return await this.#service.call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      await response.text();
      return response.status === 201;
    });
  }

  /** A subscription that was removed meanwhile has ended. */
  async *#readSubscription(
    name: string,
    selection: ReadSelection,
    signal: AbortSignal,
  ): AsyncGenerator<UpstreamMessage, void> {
    try {
      yield* this.#stream({ ...selection, path: `${this.#subscriptionPath(name)}/messages` }, signal);
    } catch (error) {
      if (!(error instanceof SidesocketError) || error.code !== "not_found") throw error;
    }
  }

  async unsubscribe(name: string, options: UnsubscribeOptions = {}): Promise<void> {
    const { timeoutMs } = callOptions.unsubscribe(options);
    const waitMs = Math.min(WAIT_MAX_MS, timeoutMs);
    const path = `${this.#subscriptionPath(name)}?timeout=${Math.ceil(waitMs)}ms`;
    await this.#service.call({ method: "DELETE", path, waitMs }, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
    });
  }

  #subscriptionPath(name: string): string {
    return `${this.#path}/subscriptions/${encodeURIComponent(name)}`;
  }

  async acknowledge(cursor: string, subscription?: string): Promise<number> {
    const from = subscription === undefined ? this.#path : this.#subscriptionPath(subscription);
    const path = `${from}/messages/acknowledge?through=${encodeURIComponent(cursor)}`;
    return await this.#service.call({ method: "POST", path, waitMs: ACKNOWLEDGE_MS }, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      return ((await response.json()) as { readonly answered: number }).answered;
    });
  }

  /** Sent once: to repeat it could reply to a request that has its reply already. */
  async reply(cursor: string, reply: Sendable): Promise<void> {
    const path = `${this.#path}/messages/${encodeURIComponent(cursor)}/reply`;
    const headers = { "content-type": "application/json" };
    const call = { method: "POST", path, headers, body: replyText(reply), waitMs: REPLY_MS } as const;
    await this.#service.call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
    });
  }

  async readState(): Promise<ConnectionState> {
    const call = { method: "GET", path: this.#path, waitMs: 0 } as const;
    return await this.#service.call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      const { phase, since, attempts, last_error, retry_in_ms } = (await response.json()) as StateBody;
      return {
        phase,
        since: new Date(since),
        attempts,
        lastError: last_error ?? undefined,
        retryInMs: retry_in_ms ?? undefined,
      };
    });
  }
}

interface StateBody {
  readonly phase: ConnectionState["phase"];
  readonly since: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly retry_in_ms: number | null;
}
