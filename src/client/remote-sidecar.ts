/** An upstream of a service elsewhere, called over HTTP with `fetch` alone. */

import { refused, SidesocketError } from "../errors.ts";
import type {
  AsyncSidecar,
  ConnectionState,
  MessagesOptions,
  RequestOptions,
  RpcParams,
  SendOptions,
  SubscribeOptions,
  SubscriptionOrder,
} from "../library/async-upstream.ts";
import { callOptions, timeoutOf } from "../library/call-options.ts";
import { MessageSubscription, type UnsubscribeOptions } from "../library/message-subscription.ts";
import { demandKnown, type OptionNames } from "../library/option-names.ts";
import { PendingReply } from "../library/pending-reply.ts";
import { randomName } from "../library/random-name.ts";
import { rpcRequest, rpcResult } from "../library/rpc-call.ts";
import { bodyOf, type Sendable } from "../library/sendable.ts";
import type { Body } from "../protocols/protocol.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import type { ReadSelection, UpstreamMessage } from "../sidecar/upstream-message.ts";
import { type Content, contentOf, MessageSender, WAIT_MAX_MS } from "./message-sender.ts";
import { type MessageStreamOptions, streamMessages } from "./message-stream.ts";
import { addressOf, type Fetch, failureOf, isFailure, RemoteService } from "./remote-service.ts";

export interface ClientOptions {
  /** The bearer token of the API, if the service requires one. */
  readonly token?: string;
  /** The name of the upstream. By default `default`, which names the only one, too. */
  readonly upstream?: string;
  /**
   * How often a message is repeated, within its timeout, if the service cannot be reached, or has refused it unsent.
   * Each message has an `Idempotency-Key` then, so that only one of the repetitions is sent. By default 0.
   */
  readonly repeat?: number;
  /** The time for which a cut stream of messages is tried again, in milliseconds. By default 30,000. */
  readonly resumeMs?: number;
  /** By default the global `fetch`. */
  readonly fetch?: Fetch;
}

const OPTIONS: OptionNames<ClientOptions> = { token: true, upstream: true, repeat: true, resumeMs: true, fetch: true };
const RESUME_MS = 30_000;
/** How long the service waits for its thread to send answers, in milliseconds. */
const ACKNOWLEDGE_MS = 5_000;
/** The steps of an exit have bounds of their own, which the service knows. */
const EXIT_WITHIN_MS = 120_000;
const REPEAT_MAX = 100;

/** Connects to a service by its address. Nothing is sent before the first call. */
export function connect(url: string | URL, options: ClientOptions = {}): RemoteSidecar {
  return new RemoteSidecar(url, options);
}

export class RemoteSidecar implements AsyncSidecar {
  readonly #service: RemoteService;
  readonly #path: string;
  readonly #rpcPath: string;
  readonly #sender: MessageSender;
  readonly #resumeMs: number;
  #exit: Promise<ExitReport> | undefined;

  constructor(url: string | URL, options: ClientOptions) {
    demandKnown(options, OPTIONS, "connect", "invalid_config");
    const { token, upstream = "default", repeat = 0, resumeMs = RESUME_MS, fetch: given } = options;
    if (!Number.isInteger(repeat) || repeat < 0 || repeat > REPEAT_MAX) {
      throw refused("invalid_config", `repeat must be a whole number from 0 to ${REPEAT_MAX}`);
    }
    this.#service = new RemoteService(addressOf(url), token, given ?? ((to, init) => fetch(to, init)));
    this.#path = `/v1/upstreams/${encodeURIComponent(upstream)}`;
    this.#rpcPath = `/rpc/${encodeURIComponent(upstream)}`;
    this.#sender = new MessageSender(this.#service, repeat);
    this.#resumeMs = timeoutOf({ timeoutMs: resumeMs });
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

  async send(message: Sendable, options: SendOptions = {}): Promise<void> {
    const { timeoutMs, signal, confirm } = callOptions.send(options);
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    await this.#sender.send(`${this.#path}/send`, confirm ? "confirm=pong" : "", contentOf(message), attempt);
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

  /** Runs the exit protocol of the whole service, all of its upstreams, and resolves with the report. */
  async exit(options: { readonly force?: boolean } = {}): Promise<ExitReport> {
    demandKnown(options, { force: true }, "exit");
    const { force = false } = options;
    const again = force && this.#exit ? this.#shutDown(true) : undefined;
    // The first call has the same report.
    again?.catch(() => {});
    this.#exit ??= this.#shutDown(force);
    return await this.#exit;
  }

  async #shutDown(force: boolean): Promise<ExitReport> {
    const call = { method: "POST", path: `/shutdown?force=${force}`, waitMs: EXIT_WITHIN_MS } as const;
    return await this.#service.call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      return (await response.json()) as ExitReport;
    });
  }

  /** Ends the iterations of this client and refuses further calls. The service goes on. */
  async close(): Promise<void> {
    this.#service.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

interface StateBody {
  readonly phase: ConnectionState["phase"];
  readonly since: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly retry_in_ms: number | null;
}
