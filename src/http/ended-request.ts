/** Record of an HTTP request at its end, for telemetry. */

import type { Context } from "hono";
import type { EndedRequest } from "../telemetry/telemetry.ts";
import type { Env } from "./ports.ts";

/** The route of a request that no route serves. */
export const UNMATCHED = "unmatched";

/** Reads from the request only when asked: of a success nobody needs the address or the id. */
export class HttpRequestRecord implements EndedRequest {
  readonly #c: Context<Env>;
  readonly status: number;
  readonly endedAt = performance.now();

  constructor(c: Context<Env>, status: number) {
    this.#c = c;
    this.status = status;
  }

  get totalMs() {
    return this.endedAt - this.#c.get("began");
  }

  get requestId() {
    return this.#c.get("requestId");
  }

  get method() {
    return this.#c.req.method;
  }

  get route() {
    return this.#c.get("route") ?? UNMATCHED;
  }

  get upstream() {
    return (this.#c.get("servedBy") ?? this.#c.get("upstream"))?.name;
  }

  get instance() {
    return this.#c.get("upstream")?.instance?.id;
  }

  get failure() {
    return this.#c.get("failure");
  }

  get reply() {
    return this.#c.get("reply");
  }

  get caller() {
    return this.#c.get("caller")?.share;
  }

  get traceId() {
    return this.#c.get("trace")?.traceId;
  }

  get address() {
    return this.#c.env?.incoming?.socket?.remoteAddress;
  }
}
