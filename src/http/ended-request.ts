/** An HTTP request at its end, as telemetry sees it. */

import type { Context } from "hono";
import type { EndedRequest } from "../telemetry/telemetry.ts";
import type { Env, RequestRecord } from "./env.ts";

/** The route of a request that no route serves. */
export const UNMATCHED = "unmatched";

/** Reads from the request only when asked: of a success nobody needs the address or the id. */
export class EndedHttpRequest implements EndedRequest {
  readonly #c: Context<Env>;
  readonly #record: RequestRecord;
  readonly status: number;
  readonly endedAt = performance.now();

  constructor(c: Context<Env>, status: number) {
    this.#c = c;
    this.#record = c.get("record");
    this.status = status;
  }

  get totalMs() {
    return this.endedAt - this.#record.began;
  }

  get requestId() {
    return this.#record.requestId;
  }

  get method() {
    return this.#c.req.method;
  }

  get route() {
    return this.#record.route ?? UNMATCHED;
  }

  get upstream() {
    return (this.#record.servedBy ?? this.#record.upstream)?.name;
  }

  get instance() {
    return this.#record.upstream?.instance?.id;
  }

  get failure() {
    return this.#record.failure;
  }

  get reply() {
    return this.#record.reply;
  }

  get caller() {
    return this.#record.caller?.share;
  }

  get traceId() {
    return this.#record.trace?.traceId;
  }

  get address() {
    return this.#c.env?.incoming?.socket?.remoteAddress;
  }
}
