/**
 * The failures of sidesocket, each with a stable code and whether the message was sent.
 *
 * Codes and `sent` are the contract; texts are for people and may change.
 */

/**
 * The fate of a caller's message.
 * - `no`: it was never handed to the socket.
 * - `maybe`: it was handed to the socket, but nothing proves that the peer received it.
 * - `yes`: the peer has received it, which is proved by its reply or by the pong of a ping that was sent after it.
 */
export type Sent = "no" | "maybe" | "yes";

export type ErrorCode =
  | "invalid_request"
  | "unauthorized"
  | "forbidden"
  | "misdirected"
  | "not_found"
  | "method_not_allowed"
  | "unsupported_media_type"
  | "payload_too_large"
  | "conflict"
  | "mismatch"
  | "gone"
  | "too_many_in_flight"
  | "paced"
  | "congested"
  | "upstream_down"
  | "not_ready"
  | "shutting_down"
  | "cancelled"
  | "login_refused"
  | "connection_lost"
  | "sidecar_crashed"
  | "invalid_reply"
  | "reply_timeout"
  | "invalid_config"
  | "would_block"
  | "rpc_error"
  | "service_lost"
  | "internal_error";

/** Frames of the upstream that answered nothing. */
export interface Heard {
  readonly frames: number;
  /** The last one, cut, and without the secrets of the configuration. */
  readonly last: string;
  /** The reason why the last one answers nothing, if it is remarkable. */
  readonly why?: string;
}

/**
 * The use of repeating the same request, apart from whether that is safe.
 * - `never`: it fails again until the caller, or the configuration, changes something.
 * - `later`: it may succeed once something has passed: a limit, a pause, a stop.
 * - `now`: nothing that is known stands in its way.
 */
export type Retry = "never" | "later" | "now";

const retryOf: Readonly<Record<ErrorCode, Retry>> = {
  invalid_request: "never",
  unauthorized: "never",
  forbidden: "never",
  misdirected: "never",
  not_found: "never",
  method_not_allowed: "never",
  unsupported_media_type: "never",
  payload_too_large: "never",
  conflict: "never",
  mismatch: "never",
  gone: "never",
  too_many_in_flight: "later",
  paced: "later",
  congested: "later",
  upstream_down: "later",
  not_ready: "later",
  shutting_down: "later",
  cancelled: "later",
  // The login is tried again every `reconnect.refused`, so that a rotated token needs no restart.
  login_refused: "later",
  connection_lost: "now",
  sidecar_crashed: "now",
  invalid_reply: "never",
  reply_timeout: "now",
  invalid_config: "never",
  would_block: "never",
  // Only the upstream's own code could say more: see `retryFor`.
  rpc_error: "later",
  service_lost: "now",
  internal_error: "later",
};

/** The errors of JSON-RPC itself: not JSON, not a request, no such method, and wrong parameters. */
const NEVER_RPC: readonly number[] = [-32700, -32600, -32601, -32602];

export function retryFor({ code, rpc }: Pick<Failure, "code" | "rpc">): Retry {
  return rpc && NEVER_RPC.includes(rpc.code) ? "never" : retryOf[code];
}

/** The error object with which an upstream replies to a call by JSON-RPC. */
export interface RpcErrorObject {
  readonly code: number;
  readonly message: string;
  /** The upstream's own details, if it gives any. */
  readonly data?: unknown;
}

/** A failure as plain data, which can cross the thread boundary: classes lose their names there. */
export interface Failure {
  readonly code: ErrorCode;
  readonly sent: Sent;
  /** One sentence for people with the problem, its place and the cure. It never holds a secret or a payload. */
  readonly detail: string;
  /** Time after which another try may succeed, in milliseconds. Only set if `sent` is `no`. */
  readonly retryAfterMs?: number | undefined;
  /** The frames that came while the request waited, and answered nothing. Only set on `reply_timeout`. */
  readonly heard?: Heard | undefined;
  /**
   * A code of what ended the connection, or keeps it from being opened: a close code, `http_` and the status of a
   * refused upgrade, or a word. Only set on `upstream_down`, `login_refused` and `connection_lost`.
   */
  readonly cause?: string | undefined;
  /** True for a `reply_timeout` after which no late reply is waited for. */
  readonly final?: boolean | undefined;
  /** The upstream's own error. Only set on `rpc_error`. */
  readonly rpc?: RpcErrorObject | undefined;
}

/** The error that the library throws. Decide by `code` and `sent`: the message is for people and may change. */
export class SidesocketError extends Error {
  override readonly name = "SidesocketError";
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.detail, options);
    this.failure = failure;
  }

  get code(): ErrorCode {
    return this.failure.code;
  }

  get sent(): Sent {
    return this.failure.sent;
  }

  /** The upstream's own error object, if `code` is `rpc_error`: its `code`, `message` and `data`. */
  get rpc(): RpcErrorObject | undefined {
    return this.failure.rpc;
  }

  /** The use of repeating the same request: `never`, `later` or `now`. It does not say whether that is safe. */
  get retry(): Retry {
    return retryFor(this.failure);
  }

  /** True only if the message was certainly not sent: sending it again cannot deliver it twice. */
  get retrySafe(): boolean {
    return this.sent === "no";
  }
}

/** Creates the error for a message that was never handed to the socket. */
export function refused(code: ErrorCode, detail: string, retryAfterMs?: number): SidesocketError {
  return new SidesocketError({ code, sent: "no", detail, retryAfterMs });
}
