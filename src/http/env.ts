/** Hono's environment: the bindings of our own listener, and the record of each request. */

import type { Replied } from "../core/outcome.ts";
import type { Budget } from "../core/util/budget.ts";
import type { TraceContext } from "../core/util/traceparent.ts";
import type { Failure } from "../errors.ts";
import type { Caller } from "./callers.ts";
import type { CallerConnection, IncomingBody, ResponseStream, UpstreamPort } from "./ports.ts";

/**
 * The facts of an HTTP request, as its handling learns them. One object, since each variable of a Hono context costs an
 * entry in a Map.
 */
export class RequestRecord {
  readonly requestId: string;
  readonly budget: Budget;
  /** The trace that the request is a part of, if its `traceparent` is valid. */
  readonly trace: TraceContext | undefined;
  /** When the HTTP request arrived, by `performance.now()`. */
  readonly began = performance.now();
  /** Set where a token is required. */
  caller: Caller | undefined = undefined;
  /** The upstream or the instance that the path names; set on routes that are registered with `withUpstream`. */
  upstream: UpstreamPort | undefined = undefined;
  /** The upstream that took the request, where it is another one than the path names. */
  servedBy: UpstreamPort | undefined = undefined;
  /** The template of the route's path; undefined if no route serves the request. */
  route: string | undefined = undefined;
  /** The failure that the response reports; of a batch the first one. */
  failure: Failure | undefined = undefined;
  /** The reply that the response carries. */
  reply: Replied | undefined = undefined;
  /** Milliseconds from `began` until the protocol was loaded, if the request had to wait for it. */
  openedAfterMs: number | undefined = undefined;

  constructor(requestId: string, budget: Budget, trace?: TraceContext) {
    this.requestId = requestId;
    this.budget = budget;
    this.trace = trace;
  }
}

/** Bindings that a listener on Node's own server adds to an HTTP request. */
interface OnNode {
  /** `errored` is the error with which reading the body ended. */
  readonly incoming: IncomingBody & {
    /** By names in lower case. */
    readonly headers: Readonly<Record<string, unknown>>;
    readonly socket?: CallerConnection;
    readonly errored?: Error | null;
  };
  readonly outgoing: ResponseStream;
}

interface OwnListener {
  readonly proceed: (() => void) | undefined;
  readonly grant: (ms: number) => void;
}

/**
 * `exclusive` is true on our own listener, where no foreign middleware can read `incoming` or write `outgoing`.
 * `proceed` asks for the body, if the client waits to be asked. `grant` lets the body arrive for so many milliseconds
 * from now on, however long it has taken so far.
 */
export interface Env {
  Bindings:
    | (OnNode & { readonly exclusive?: boolean } & { readonly [Name in keyof OwnListener]?: OwnListener[Name] })
    | { readonly [Name in keyof OnNode | keyof OwnListener | "exclusive"]?: undefined };
  Variables: { record: RequestRecord };
}
