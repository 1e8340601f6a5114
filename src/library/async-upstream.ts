/** The interface of an upstream whose calls are awaited: one of this program, or one behind HTTP. */

import type { Condition } from "../protocols/condition.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import type { ReadSelection, UpstreamMessage } from "../sidecar/upstream-message.ts";
import type { MessageSubscription, UnsubscribeOptions } from "./message-subscription.ts";
import type { PendingReply } from "./pending-reply.ts";
import type { ByteStream, Sendable } from "./sendable.ts";

/** The parameters of a call by JSON-RPC: by position, or by name. */
export type RpcParams = readonly unknown[] | Readonly<Record<string, unknown>>;

export interface RequestOptions {
  /** Time to wait for the reply, in milliseconds: from 1 to 2^31 - 1, by default 25,000. */
  readonly timeoutMs?: number;
  /** Abandons the request: its promise rejects with the signal's reason, and a reply that still arrives is dropped. */
  readonly signal?: AbortSignal;
}

export interface SendOptions extends RequestOptions {
  /** Waits for the peer's pong to a ping that follows the message, which proves that the peer received it. */
  readonly confirm?: boolean;
}

export interface MessagesOptions extends ReadSelection {
  /** The name of a subscription, to read its messages; by default those that no subscription claims. */
  readonly subscription?: string;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/**
 * A standing request for messages, as docs/http-api.md#subscriptions has it: the message that subscribes, and the
 * condition that its messages meet; or a preset that knows both.
 */
export interface SubscriptionOrder extends Condition {
  /** Its name: 1 to 64 letters, digits, `_`, `.` or `-`. By default a new one. */
  readonly name?: string | undefined;
  /** Subscriptions of Ethereum nodes, which differ only in their `params`. */
  readonly preset?: "eth_subscribe" | undefined;
  /** The parameters of the preset, such as `["newHeads"]`. */
  readonly params?: readonly unknown[] | undefined;
  /** The message that subscribes: a text, or a value that is sent as JSON. */
  readonly request?: unknown;
  /** The place in the reply of the upstream's own id, for which `$id` stands in `match`, `ended` and `unsubscribe`. */
  readonly id?: string | undefined;
  /** The message that unsubscribes. */
  readonly unsubscribe?: unknown;
  /** The confirmations, all of which must come. By default the reply, unless it refuses. */
  readonly agreed?: Condition | readonly Condition[] | undefined;
  /** A reply or a message that refuses the request, beside the forms that are known. */
  readonly refused?: Condition | undefined;
  /** The message with which the upstream ends the subscription. */
  readonly ended?: Condition | undefined;
  /** False for a request that does something: what may have been sent is never sent again. */
  readonly renew?: boolean | undefined;
  /** The longest time without a message, such as `"60s"`: after it, the request is repeated. */
  readonly silence?: string | undefined;
}

export interface SubscribeOptions extends RequestOptions, ReadSelection {}

/** The phase of the connection, and its last errors. */
export interface ConnectionState {
  readonly phase: "idle" | "connecting" | "greeting" | "ready" | "waiting" | "refused" | "closing" | "closed";
  /** The time at which the phase began. */
  readonly since: Date;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** The reason why the last connection or attempt ended; undefined before the first end. */
  readonly lastError?: string | undefined;
  /** Milliseconds until the next attempt, in `waiting` and `refused`. */
  readonly retryInMs?: number | undefined;
}

export interface AsyncUpstream {
  /**
   * Sends one message and resolves with its reply: a string for a text frame, bytes for a binary one; `text()`,
   * `bytes()` and `json()` of the promise resolve with it in one form. A batch resolves with the text of a JSON array.
   * A message that gets no reply by the rules of the protocol resolves with an empty string as soon as it was handed to
   * the socket.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API
   */
  request(message: Sendable, options?: RequestOptions): PendingReply;
  /**
   * Calls a method by JSON-RPC 2.0 and resolves with its result.
   * @throws SidesocketError as `request` does, and `rpc_error` for an error of the upstream, which is its `rpc`
   */
  rpc<Result = unknown>(method: string, params?: RpcParams, options?: RequestOptions): Promise<Result>;
  /**
   * Sends one message without waiting for a reply. Resolves when it was handed to the socket, which does not prove that
   * the peer received it; with `confirm`, resolves when that is proved.
   * @throws SidesocketError with the `code` and `sent` of the HTTP API; with `confirm` also `reply_timeout` and
   *   `sent: maybe` if no pong arrived in time
   *
   * A stream of bytes goes out as many frames while it comes, over one connection, and `timeoutMs` is for each of them;
   * the protocol needs `frames: { size }`. If it fails, `sent` counts the frames that went out before.
   */
  send(message: Sendable | ByteStream, options?: SendOptions): Promise<void>;
  /**
   * Iterates over the unsolicited messages of the upstream, in order, until the exit. Missed messages are reported as a
   * gap in their place. A slow reader delays nobody else.
   * @throws SidesocketError with the code `invalid_request` if the cursor or a pointer is invalid, `not_found` for an
   *   unknown subscription, or `sidecar_crashed` if the thread cannot be kept alive
   */
  messages(options?: MessagesOptions): AsyncGenerator<UpstreamMessage, void>;
  /**
   * Subscribes, and iterates over the messages of the subscription, which is renewed on every reconnect. Both the
   * iteration and its `agreed` reject if the upstream does not agree in time. To leave the iteration unsubscribes.
   */
  subscribe(order: SubscriptionOrder, options?: SubscribeOptions): MessageSubscription;
  /**
   * Removes a subscription by its name, and resolves when the upstream has agreed, or there was nothing to tell it.
   * @throws SidesocketError if it did not, though the subscription is removed all the same; `not_found` without one
   */
  unsubscribe(name: string, options?: UnsubscribeOptions): Promise<void>;
  /**
   * Acknowledges the messages up to this cursor, of the upstream or of one subscription, so that the answers that wait
   * for them (`after: delivered`) are sent. To read a message does not acknowledge it.
   * @returns the number of answers that were sent
   * @throws SidesocketError `invalid_request` for a wrong cursor, `gone` if its messages are not kept any more, or
   *   `not_found` for an unknown subscription
   */
  acknowledge(cursor: string, subscription?: string): Promise<number>;
  /**
   * Replies to a request of the upstream's own, which is the message with this cursor, if its `reply` is `wanted`: with
   * `{ result }` or `{ error }` in JSON-RPC. Resolves when the reply was handed to the socket.
   * @throws SidesocketError `conflict` if somebody has replied, `gone` if the message is not kept any more or its
   *   connection has ended, `mismatch` if it wants no reply, or `not_found` without such a message
   */
  reply(cursor: string, reply: Sendable): Promise<void>;
  /** The state of the connection. */
  readState(): Promise<ConnectionState>;
}

/** An upstream together with the end of its use. */
export interface AsyncSidecar extends AsyncUpstream, AsyncDisposable {
  /** Ends this program's use of it: a sidecar of this program exits, one behind HTTP goes on for others. */
  close(): Promise<void>;
  /**
   * Runs the exit protocol, once however often it is called: every caller gets the same report. `force` sets the time
   * limits of the remaining steps to zero.
   */
  exit(options?: { readonly force?: boolean }): Promise<ExitReport>;
}
