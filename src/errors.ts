/**
 * Every way in which sidesocket fails, as a stable code and the fact of whether the message went out.
 * Texts are for people and may change; codes and `sent` are the contract.
 */

/**
 * Whether the caller's message reached the upstream.
 * - `no`: it was never handed to the socket.
 * - `maybe`: it was handed to the socket, and nothing proves that the peer got it.
 * - `yes`: the peer has shown that it got it: by a frame that answers it, or by the pong of a ping sent after it.
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
  | "shutting_down"
  | "cancelled"
  | "login_refused"
  | "connection_lost"
  | "sidecar_crashed"
  | "invalid_reply"
  | "reply_timeout"
  | "invalid_config"
  | "internal_error";

/** A failure as plain data: this is what crosses the thread boundary, where classes lose their name. */
export interface Failure {
  readonly code: ErrorCode;
  readonly sent: Sent;
  /** One sentence for people: what was wrong, where, and what would help. Never holds a secret or a payload. */
  readonly detail: string;
  /** When trying again may help, in milliseconds from now. Only ever given where `sent` is `no`. */
  readonly retryAfterMs?: number | undefined;
}

/** The error that callers of the library get. */
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

  /** True exactly when the message was certainly not sent, so that sending it again cannot do it twice. */
  get retrySafe(): boolean {
    return this.sent === "no";
  }
}

/** Refuses input that never came near the socket. */
export function refused(code: ErrorCode, detail: string, retryAfterMs?: number): SidesocketError {
  return new SidesocketError({ code, sent: "no", detail, retryAfterMs });
}
