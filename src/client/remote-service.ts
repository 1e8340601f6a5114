/** Calls of the service's HTTP API, each of which ends in time with a response or a SidesocketError. */

import { type ErrorCode, type Failure, refused, type Sent, SidesocketError } from "../errors.ts";

/** The part of `fetch` that the client needs. */
export type Fetch = (url: string, init: RequestInit) => Response | Promise<Response>;

export interface ServiceCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** From the service's address on, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** The time that the service itself may wait before it responds, in milliseconds; anew with each part of a stream. */
  readonly waitMs: number;
  /** Aborts when the caller leaves: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a response may take beyond the time that the service waits for, in milliseconds. */
const GRACE_MS = 5_000;

/** The most of a body that goes out at once, in bytes: each part that has gone shows that the body goes on. */
const PART_BYTES = 65_536;

/** The code of the error of a `fetch` that does not trust the service's certificate: it has sent nothing. */
export const UNTRUSTED = "CERTIFICATE_UNTRUSTED";

/** Failures to connect, after which nothing was sent, by the names that Node and Bun give them. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ConnectionRefused",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  UNTRUSTED,
]);

export class RemoteService {
  readonly #address: string;
  readonly #token: string | undefined;
  readonly #fetch: Fetch;
  readonly #closing = new AbortController();

  constructor(address: string, token: string | undefined, fetch: Fetch) {
    this.#address = address;
    this.#token = token;
    this.#fetch = fetch;
  }

  /** Aborts when the client is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Refuses further calls. */
  close(): void {
    this.#closing.abort();
  }

  /**
   * Makes a call, and hands its response to `read` within the call's time.
   * @throws SidesocketError `service_lost` if there is no response, or it breaks off, or is none of sidesocket
   */
  async call<Value>(call: ServiceCall, read: (response: Response) => Promise<Value>): Promise<Value> {
    call.signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw refused("shutting_down", "the client was closed");
    const withinMs = Math.ceil(call.waitMs) + GRACE_MS;
    const ending = new AbortController();
    const leave = () => ending.abort();
    let timer: ReturnType<typeof setTimeout> | undefined = setTimeout(leave, withinMs);
    const restart = () => {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(leave, withinMs);
    };
    call.signal?.addEventListener("abort", leave, { once: true });
    let sent: Sent = call.method === "GET" ? "no" : "maybe";
    try {
      const response = await this.#begin(call, ending.signal, restart);
      sent = sentOf(response.headers.get("sidesocket-sent") ?? sent);
      return await read(response);
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof SidesocketError) throw error;
      const because = ending.signal.aborted ? `it did not respond within ${withinMs} ms` : textOf(error);
      throw lost(because, isNotConnected(error) ? "no" : sent, error);
    } finally {
      clearTimeout(timer);
      timer = undefined;
      call.signal?.removeEventListener("abort", leave);
    }
  }

  /**
   * Makes a call whose response goes on for as long as it is read: only its beginning is bounded.
   * @throws SidesocketError as `call` does, and the service's own failure
   */
  async stream(call: ServiceCall, ending: AbortController): Promise<ReadableStream<Uint8Array>> {
    const timer = setTimeout(() => ending.abort(), call.waitMs + GRACE_MS);
    try {
      const response = await this.#begin(call, ending.signal);
      if (response.status !== 200) throw await failureOf(response);
      if (!response.body) throw lost("its response has no body", "no");
      return response.body;
    } catch (error) {
      if (error instanceof SidesocketError) throw error;
      throw lost(textOf(error), "no", error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param onPart called for each part of the body that goes out */
  async #begin(
    { method, path, headers, body }: ServiceCall,
    signal: AbortSignal,
    onPart?: () => void,
  ): Promise<Response> {
    const authorization = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    return await this.#fetch(this.#address + path, {
      method,
      headers: { ...headers, ...authorization },
      signal,
      redirect: "error",
      ...bodyInit(body, onPart),
    });
  }
}

/** The body as `fetch` takes it: a stream as a web stream, which goes out before the response comes. */
function bodyInit(body: ServiceCall["body"], onPart?: () => void): RequestInit {
  if (body === undefined) return {};
  if (typeof body === "string" || body instanceof Uint8Array) return { body: body as string | Uint8Array<ArrayBuffer> };
  const iterator = body[Symbol.asyncIterator]();
  let rest = new Uint8Array();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (rest.length === 0) {
        const { done, value } = await iterator.next();
        if (done) {
          controller.close();
          return;
        }
        rest = value as Uint8Array<ArrayBuffer>;
      }
      controller.enqueue(rest.subarray(0, PART_BYTES));
      rest = rest.subarray(PART_BYTES);
      onPart?.();
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  // The types of `fetch` do not know `duplex`, without which a stream is refused.
  return { body: stream, duplex: "half" } as RequestInit;
}

/** The failure in a response: of a problem document, or of the error of JSON-RPC that has the same facts. */
export async function failureOf(response: Response): Promise<SidesocketError> {
  const { headers, status } = response;
  const text = await response.text();
  const facts = factsIn(text);
  const code = headers.get("sidesocket-code") ?? facts.code;
  if (typeof code !== "string") return lost(`HTTP ${status} is no response of sidesocket`, "maybe");
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const failure: Failure = {
    code: code as ErrorCode,
    sent: sentOf(headers.get("sidesocket-sent") ?? facts.sent),
    detail: String(facts.detail ?? facts.title ?? code),
    ...(Number.isFinite(seconds) && { retryAfterMs: seconds * 1_000 }),
    ...(typeof facts.cause === "string" && { cause: facts.cause }),
    ...(isHeard(facts.heard) && { heard: facts.heard }),
  };
  return new SidesocketError(failure);
}

/** True if the response is a failure of sidesocket, whatever its status: on `/rpc`, 200 may be one. */
export function isFailure({ ok, headers }: Response): boolean {
  return !ok || headers.has("sidesocket-code");
}

type Facts = Readonly<Record<string, unknown>>;

function factsIn(text: string): Facts {
  try {
    const body: Facts = Object(JSON.parse(text));
    return Object((body.error as Facts | undefined)?.data ?? body);
  } catch {
    return {};
  }
}

function sentOf(text: unknown): Sent {
  return text === "no" || text === "yes" ? text : "maybe";
}

function isHeard(value: unknown): value is NonNullable<Failure["heard"]> {
  return typeof value === "object" && value !== null && "frames" in value;
}

export function lost(because: string, sent: Sent, cause?: unknown): SidesocketError {
  return new SidesocketError({ code: "service_lost", sent, detail: `the service was lost: ${because}` }, { cause });
}

function isNotConnected(error: unknown): boolean {
  const { code, cause } = Object(error) as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  return NOT_CONNECTED.has(code) || NOT_CONNECTED.has(cause?.code);
}

function textOf(error: unknown): string {
  const { message, cause } = Object(error) as {
    readonly message?: string;
    readonly cause?: { readonly message?: string };
  };
  return [message ?? String(error), cause?.message].filter((text) => text).join(": ");
}

/** @throws SidesocketError `invalid_config` for what is no address of a service */
export function addressOf(url: string | URL): string {
  const text = String(url);
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw refused("invalid_config", "url must be the http:// or https:// address of a service");
  }
  return text.replace(/[?#].*$/, "").replace(/\/+$/, "");
}
