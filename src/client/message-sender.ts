/** The sending of messages by HTTP: repetitions under one key, late replies, and a `sent` that covers them all. */

import { type Sent, SidesocketError } from "../errors.ts";
import { randomName } from "../library/random-name.ts";
import { bodyOf, type Sendable } from "../library/sendable.ts";
import type { Body } from "../protocols/protocol.ts";
import { pause } from "./pause.ts";
import { failureOf, isFailure, type RemoteService } from "./remote-service.ts";

/** The service waits no longer for one response; beyond it, a late reply is fetched. */
export const WAIT_MAX_MS = 120_000;
/** The pauses before a message is repeated, in milliseconds: at random up to twice as much each time. */
const REPEAT_FROM_MS = 100;
const REPEAT_TO_MS = 5_000;

/** The time of one call, and its caller's leave. */
export interface Attempt {
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A body with its media type, as HTTP declares it. */
export interface Content {
  readonly type: string;
  readonly body: Body;
}

const BYTES = "application/octet-stream";
const JSON_TYPE = "application/json";

export function contentOf(message: Sendable): Content {
  const body = bodyOf(message);
  return { type: typeof body === "string" ? JSON_TYPE : BYTES, body };
}

export class MessageSender {
  readonly #service: RemoteService;
  readonly #repeat: number;
  /** The places of late replies, by the errors of their requests. */
  readonly #late = new WeakMap<SidesocketError, string>();
  /** The upstream takes JSON only: bytes are declared to be JSON, too. */
  #takesJson = false;

  /** @param repeat how often a message is repeated at most */
  constructor(service: RemoteService, repeat: number) {
    this.#service = service;
    this.#repeat = repeat;
  }

  /** Sends a message, and resolves with its reply; with an empty text if none comes to it. */
  async request(path: string, content: Content, attempt: Attempt): Promise<Body> {
    try {
      return await this.send(path, "", content, attempt);
    } catch (error) {
      // The service waits for so long at most, the caller for longer.
      const isEarly = error instanceof SidesocketError && error.code === "reply_timeout" && left(attempt) > 1;
      if (!isEarly) throw error;
      return await this.lateReply(error, attempt);
    }
  }

  /** Fetches the reply of a request that has timed out. @throws the same error again if there is none to come */
  async lateReply(error: SidesocketError, { deadline, signal }: Attempt): Promise<Body> {
    const location = this.#late.get(error);
    if (location === undefined) throw error;
    for (;;) {
      const waitMs = Math.min(WAIT_MAX_MS, left({ deadline }));
      const path = `${location}?wait=${Math.ceil(waitMs)}ms`;
      const fetched = this.#service.call({ method: "GET", path, waitMs, signal }, async (response) => {
        if (response.status === 202) return undefined;
        if (isFailure(response)) throw await failureOf(response);
        return await bodyIn(response);
      });
      const reply = await fetched.catch((failure) => {
        throw failure instanceof SidesocketError ? sentAtLeast(failure, error.sent) : failure;
      });
      if (reply !== undefined) return reply;
      if (left({ deadline }) <= 1) throw error;
    }
  }

  /** Sends a message, and repeats it as often as the caller has allowed. */
  async send(path: string, query: string, content: Content, attempt: Attempt): Promise<Body> {
    const key = this.#repeat > 0 ? { "idempotency-key": randomName("k") } : {};
    let sent: Sent = "no";
    for (let repeated = 0; ; ) {
      const type = this.#takesJson ? JSON_TYPE : content.type;
      try {
        return await this.#post(path, query, { ...content, type }, key, attempt);
      } catch (error) {
        if (!(error instanceof SidesocketError)) throw error;
        if (error.code === "unsupported_media_type" && type === BYTES) this.#takesJson = true;
        else {
          // An earlier repetition may have gone out, although the last one did not.
          const failure: SidesocketError = sentAtLeast(error, sent);
          ({ sent } = failure);
          const pauseMs = this.#pauseBefore(repeated, error);
          if (pauseMs === undefined || pauseMs >= left(attempt)) throw failure;
          await pause(pauseMs, attempt.signal);
          repeated++;
        }
      }
    }
  }

  async #post(
    path: string,
    query: string,
    { type, body }: Content,
    key: Readonly<Record<string, string>>,
    attempt: Attempt,
  ): Promise<Body> {
    const waitMs = Math.min(WAIT_MAX_MS, left(attempt));
    const withTimeout = `${path}?timeout=${Math.ceil(waitMs)}ms${query && `&${query}`}`;
    const headers = { "content-type": type, ...key };
    const call = { method: "POST", path: withTimeout, headers, body, waitMs, signal: attempt.signal } as const;
    return await this.#service.call(call, async (response) => {
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
}

/** The body of a response, in the form that its frame had; empty for a message that gets no reply. */
async function bodyIn(response: Response): Promise<Body> {
  const type = response.headers.get("content-type") ?? "";
  return type.startsWith(BYTES) ? new Uint8Array(await response.arrayBuffer()) : await response.text();
}

/** The time that an attempt has left: at least the least that can be waited. */
function left({ deadline }: Pick<Attempt, "deadline">): number {
  return Math.max(1, deadline - performance.now());
}

const CERTAINTY: readonly Sent[] = ["no", "maybe", "yes"];

/** The same failure, if it does not claim less of the message than is known already. */
function sentAtLeast(error: SidesocketError, sent: Sent): SidesocketError {
  if (CERTAINTY.indexOf(error.sent) >= CERTAINTY.indexOf(sent)) return error;
  return new SidesocketError({ ...error.failure, sent, retryAfterMs: undefined }, { cause: error.cause });
}
