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
import { type MessageStreamOptions, pause, streamMessages } from "./message-stream.ts";
import {
  addressOf,
  type Fetch,
  failureOf,
  isFailure,
  RemoteService,
  SERVICE_GRACE_MS,
  type ServiceCall,
} from "./remote-service.ts";

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
/** The service waits no longer for one response; beyond it, a late reply is fetched. */
const WAIT_MAX_MS = 120_000;
/** The steps of an exit have bounds of their own, which the service knows. */
const EXIT_WITHIN_MS = 120_000;
const REPEAT_MAX = 100;
const REPEAT_FROM_MS = 100;
const REPEAT_TO_MS = 5_000;

/** Connects to a service by its address. Nothing is sent before the first call. */
export function connect(url: string | URL, options: ClientOptions = {}): RemoteSidecar {
  return new RemoteSidecar(url, options);
}

/** The times of one call, and its caller's leave. */
interface Attempt {
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A body with its media type, as HTTP declares it. */
interface Content {
  readonly type: string;
  readonly body: Body;
}

export class RemoteSidecar implements AsyncSidecar {
  readonly #service: RemoteService;
  readonly #path: string;
  readonly #rpcPath: string;
  readonly #repeat: number;
  readonly #resumeMs: number;
  readonly #closing = new AbortController();
  /** The places of late replies, by the errors of their requests. */
  readonly #late = new WeakMap<SidesocketError, string>();
  /** The upstream takes JSON only: bytes are declared to be JSON, too. */
  #takesJson = false;
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
    this.#repeat = repeat;
    this.#resumeMs = timeoutOf({ timeoutMs: resumeMs });
  }

  request(message: Sendable, options: RequestOptions = {}): PendingReply {
    return PendingReply.of(this.#request(() => contentOf(message), options));
  }

  async #request(content: () => Content, options: RequestOptions): Promise<Body> {
    const { timeoutMs, signal } = callOptions.request(options);
    return await this.#reply(`${this.#path}/request`, content(), { deadline: performance.now() + timeoutMs, signal });
  }

  async rpc<Result = unknown>(method: string, params?: RpcParams, options: RequestOptions = {}): Promise<Result> {
    const { timeoutMs, signal } = callOptions.request(options);
    const content = { type: "application/json", body: rpcRequest(method, params, 1) };
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    return rpcResult<Result>(await this.#reply(this.#rpcPath, content, attempt));
  }

  async send(message: Sendable, options: SendOptions = {}): Promise<void> {
    const { timeoutMs, signal, confirm } = callOptions.send(options);
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    await this.#post(`${this.#path}/send`, confirm ? "confirm=pong" : "", contentOf(message), attempt);
  }

  /**
   * Fetches the late reply of a request that has failed with `reply_timeout`, if it comes within `timeoutMs`.
   * @throws SidesocketError the same error again if no reply is kept for it, and `reply_timeout` if it does not come
   */
  lateReply(error: SidesocketError, options: RequestOptions = {}): PendingReply {
    const fetched = async () => {
      const { timeoutMs, signal } = callOptions.request(options);
      return await this.#fetchLate(error, { deadline: performance.now() + timeoutMs, signal });
    };
    return PendingReply.of(fetched());
  }

  async #reply(path: string, content: Content, attempt: Attempt): Promise<Body> {
    try {
      return await this.#post(path, "", content, attempt);
    } catch (error) {
      // The service waits for so long at most, the caller for longer.
      const isEarly = error instanceof SidesocketError && error.code === "reply_timeout" && left(attempt) > 1;
      if (!isEarly) throw error;
      return await this.#fetchLate(error, attempt);
    }
  }

  async #fetchLate(error: SidesocketError, attempt: Attempt): Promise<Body> {
    const location = this.#late.get(error);
    if (location === undefined) throw error;
    for (;;) {
      const waitMs = Math.min(WAIT_MAX_MS, left(attempt));
      const path = `${location}?wait=${Math.ceil(waitMs)}ms`;
      const reply = await this.#call({ method: "GET", path, waitMs, attempt }, async (response) => {
        if (response.status === 202) return undefined;
        if (isFailure(response)) throw await failureOf(response);
        return await bodyIn(response);
      });
      if (reply !== undefined) return reply;
      if (left(attempt) <= 1) throw error;
    }
  }

  /** Posts a message, and repeats it as often as the caller has allowed. */
  async #post(path: string, query: string, content: Content, attempt: Attempt): Promise<Body> {
    const key = this.#repeat > 0 ? { "idempotency-key": randomName("k") } : {};
    for (let repeated = 0; ; ) {
      const type = this.#takesJson ? "application/json" : content.type;
      try {
        return await this.#postOnce(path, query, { ...content, type }, key, attempt);
      } catch (error) {
        if (!(error instanceof SidesocketError)) throw error;
        if (error.code === "unsupported_media_type" && type === BYTES) this.#takesJson = true;
        else {
          const pauseMs = this.#pauseBefore(repeated, error);
          if (pauseMs === undefined || pauseMs >= left(attempt)) throw error;
          await pause(pauseMs, attempt.signal);
          repeated++;
        }
      }
    }
  }

  async #postOnce(
    path: string,
    query: string,
    { type, body }: Content,
    key: Readonly<Record<string, string>>,
    attempt: Attempt,
  ): Promise<Body> {
    const waitMs = Math.min(WAIT_MAX_MS, left(attempt));
    const withTimeout = `${path}?timeout=${Math.ceil(waitMs)}ms${query && `&${query}`}`;
    const headers = { "content-type": type, ...key };
    const call = { method: "POST", path: withTimeout, headers, body, waitMs, attempt } as const;
    return await this.#call(call, async (response) => {
      if (!isFailure(response)) return await bodyIn(response);
      const failure = await failureOf(response);
      const location = response.headers.get("location");
      if (location !== null) this.#late.set(failure, location);
      throw failure;
    });
  }

  /** The pause before a message is sent again; undefined if it must not be, or need not. */
  #pauseBefore(repeated: number, { code, retrySafe, retry, failure }: SidesocketError): number | undefined {
    const mayRepeat = code === "service_lost" || (retrySafe && retry !== "never");
    if (repeated >= this.#repeat || !mayRepeat) return undefined;
    const backoff = Math.random() * Math.min(REPEAT_TO_MS, REPEAT_FROM_MS * 2 ** Math.min(repeated, 10));
    return Math.max(failure.retryAfterMs ?? 0, backoff);
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
    const ends = [this.#closing.signal, signal].filter((each) => each !== undefined);
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
    const attempt = { deadline: performance.now() + timeoutMs, signal };
    const headers = { "content-type": "application/json" };
    const path = `${this.#path}/subscriptions?timeout=${Math.ceil(waitMs)}ms`;
    const call = { method: "POST", path, headers, body: bodyOf(order), waitMs, attempt } as const;
    return await this.#call(call, async (response) => {
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
    const attempt = { deadline: performance.now() + waitMs, signal: undefined };
    const path = `${this.#subscriptionPath(name)}?timeout=${Math.ceil(waitMs)}ms`;
    await this.#call({ method: "DELETE", path, waitMs, attempt }, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
    });
  }

  #subscriptionPath(name: string): string {
    return `${this.#path}/subscriptions/${encodeURIComponent(name)}`;
  }

  async readState(): Promise<ConnectionState> {
    const call = { method: "GET", path: this.#path, waitMs: 0, attempt: { deadline: 0, signal: undefined } } as const;
    return await this.#call(call, async (response) => {
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
    const attempt = { deadline: 0, signal: undefined };
    const call = { method: "POST", path: `/shutdown?force=${force}`, waitMs: EXIT_WITHIN_MS, attempt } as const;
    return await this.#call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      return (await response.json()) as ExitReport;
    });
  }

  /** Ends the iterations of this client and refuses further calls. The service goes on. */
  async close(): Promise<void> {
    this.#closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #call<Value>(
    { waitMs, attempt, ...call }: Omit<ServiceCall, "withinMs" | "signal"> & { waitMs: number; attempt: Attempt },
    read: (response: Response) => Promise<Value>,
  ): Promise<Value> {
    if (this.#closing.signal.aborted) throw refused("shutting_down", "the client was closed");
    const withinMs = Math.ceil(waitMs) + SERVICE_GRACE_MS;
    return await this.#service.call({ ...call, withinMs, signal: attempt.signal }, read);
  }
}

interface StateBody {
  readonly phase: ConnectionState["phase"];
  readonly since: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly retry_in_ms: number | null;
}

const BYTES = "application/octet-stream";

function contentOf(message: Sendable): Content {
  const body = bodyOf(message);
  return { type: typeof body === "string" ? "application/json" : BYTES, body };
}

/** The body of a response, in the form that its frame had; empty for a message that gets no reply. */
async function bodyIn(response: Response): Promise<Body> {
  const type = response.headers.get("content-type") ?? "";
  return type.startsWith(BYTES) ? new Uint8Array(await response.arrayBuffer()) : await response.text();
}

/** The time that an attempt has left: at least the least that can be waited. */
function left({ deadline }: Attempt): number {
  return Math.max(1, deadline - performance.now());
}
