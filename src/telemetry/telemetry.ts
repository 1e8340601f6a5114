/** Telemetry: the one place that every ended request and every change of an upstream's state is reported to. */

import type { Failure } from "../errors.ts";
import type { KnownState, UpstreamState } from "../sidecar/reports.ts";
import { type Latency, LatencyWindows } from "./latency-windows.ts";
import { Ring } from "./ring.ts";

/** An HTTP request that has been responded to; a stream when its response begins. */
export interface RequestFacts {
  readonly requestId: string;
  readonly method: string;
  /** The template of its path, or `unmatched`: never what a caller chose. */
  readonly route: string;
  readonly status: number;
  readonly totalMs: number;
  /** The upstream that it was for, if any. */
  readonly upstream: string | undefined;
  /** The name of the caller's token, or its place in the list; undefined where none is needed, or none was valid. */
  readonly caller: string | undefined;
  /** The address of the caller, where it is known. */
  readonly address: string | undefined;
  /** The trace that the request is a part of, if its caller said so. */
  readonly traceId: string | undefined;
}

/** A request as it is reported at its end. */
export interface EndedRequest extends RequestFacts {
  /** The time of its end, on the clock of `performance.now()`. */
  readonly endedAt: number;
  /** The id of the instance that it was for, if any. */
  readonly instance?: string | undefined;
  readonly failure: Failure | undefined;
  /** Of a reply: milliseconds until the message was handed to the socket, and from then until the reply. */
  readonly reply: { readonly queueMs: number; readonly upstreamMs: number } | undefined;
}

/** A failed request as it is remembered. */
export interface FailedRequest extends RequestFacts {
  readonly at: Date;
  readonly failure: Failure;
}

/** A change of an upstream's state. */
export interface StateChange extends Omit<UpstreamState, "foundDeadBy"> {
  readonly at: Date;
  readonly upstream: string;
}

export type TelemetryEvent =
  | { readonly type: "failure"; readonly request: FailedRequest }
  | { readonly type: "state"; readonly change: StateChange };

/** The numbers that are kept: of failures of each kind, and of changes for each upstream. */
const FAILURES = 50;
const CHANGES = 200;

/** The part of an upstream that is watched. */
interface WatchedUpstream {
  readonly state: KnownState;
  onState(listener: (state: UpstreamState) => void): () => void;
}

/** An upstream whose changes are remembered. */
interface Watched {
  readonly latency: LatencyWindows;
  readonly changes: Ring<StateChange>;
  readonly unwatch: () => void;
}

export class Telemetry {
  /** Failures of requests that named an upstream apart from all others, which strangers can cause at will. */
  readonly #failures = { ofUpstreams: new Ring<FailedRequest>(FAILURES), others: new Ring<FailedRequest>(FAILURES) };
  readonly #upstreams = new Map<string, Watched>();
  readonly #listeners = new Set<(event: TelemetryEvent) => void>();
  /** Called with each request, also with those that succeeded: must cost next to nothing. */
  readonly #observers: ((request: EndedRequest) => void)[] = [];
  readonly #beginnings: ((method: string) => void)[] = [];
  readonly #refusals = new Map<number, number>();

  /** Remembers the changes of an upstream from now on. */
  watch(name: string, upstream: WatchedUpstream): void {
    this.#watch(name, upstream, (change) => this.#emit({ type: "state", change }));
  }

  /** The same for an instance, by its id: its changes are for its owner alone. */
  watchInstance(id: string, instance: WatchedUpstream): void {
    this.#watch(id, instance, () => {});
  }

  #watch(name: string, upstream: WatchedUpstream, tell: (change: StateChange) => void): void {
    this.unwatch(name);
    const changes = new Ring<StateChange>(CHANGES);
    changes.add(changeOf(name, upstream.state, upstream.state.since));
    const unwatch = upstream.onState((now) => {
      const change = changeOf(name, now, new Date());
      changes.add(change);
      tell(change);
    });
    this.#upstreams.set(name, { latency: new LatencyWindows(), changes, unwatch });
  }

  /** Forgets an upstream. */
  unwatch(name: string): void {
    this.#upstreams.get(name)?.unwatch();
    this.#upstreams.delete(name);
  }

  /** `requestEnded` follows, whatever becomes of the request. */
  requestBegan(method: string): void {
    for (const observe of this.#beginnings) observe(method);
  }

  requestEnded(request: EndedRequest): void {
    const { upstream, instance, failure, reply } = request;
    for (const name of [upstream, instance]) {
      const latency = name === undefined ? undefined : this.#upstreams.get(name)?.latency;
      if (failure) latency?.failed(request.endedAt);
      else if (reply) latency?.replied(request.totalMs, request.endedAt);
    }
    if (failure) this.failed(request, failure);
    for (const observe of this.#observers) observe(request);
  }

  /** Remembers and counts a request that the listener refused, so that it never reached the app. */
  refusedBelowApp(request: RequestFacts, failure: Failure): void {
    this.#refusals.set(request.status, (this.#refusals.get(request.status) ?? 0) + 1);
    this.failed(request, failure);
  }

  /** How many requests the listener has refused, by status. */
  get refusals(): ReadonlyMap<number, number> {
    return this.#refusals;
  }

  /** Remembers a failure whose response had begun before. */
  failed(request: RequestFacts, failure: Failure): void {
    const { requestId, method, route, status, totalMs, upstream, caller, address, traceId } = request;
    const at = new Date();
    const of = { requestId, method, route, status, totalMs, upstream, caller, address, traceId };
    const failed: FailedRequest = { at, ...of, failure };
    (upstream === undefined ? this.#failures.others : this.#failures.ofUpstreams).add(failed);
    this.#emit({ type: "failure", request: failed });
  }

  /** The last failures, oldest first: 50 of requests that named an upstream, and 50 others. */
  get failures(): readonly FailedRequest[] {
    const { ofUpstreams, others } = this.#failures;
    return [...ofUpstreams.items, ...others.items].sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  /** The last changes of an upstream's state, oldest first. */
  changesOf(upstream: string): readonly StateChange[] {
    return this.#upstreams.get(upstream)?.changes.items ?? [];
  }

  /** The replies and failures of an upstream in the last five minutes. */
  latencyOf(upstream: string): Latency & { readonly windows: ReturnType<LatencyWindows["windows"]> } {
    const latency = this.#upstreams.get(upstream)?.latency ?? new LatencyWindows();
    const now = performance.now();
    return { ...latency.total(now), windows: latency.windows(now, Date.now() - now) };
  }

  /** @returns a function that stops listening */
  on(listener: (event: TelemetryEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `observer` with each request, for as long as the telemetry lives. */
  observe(observer: (request: EndedRequest) => void): void {
    this.#observers.push(observer);
  }

  /** Calls `observer` with the method of each request as it begins. */
  observeBeginnings(observer: (method: string) => void): void {
    this.#beginnings.push(observer);
  }

  #emit(event: TelemetryEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function changeOf(upstream: string, state: UpstreamState, at: Date): StateChange {
  const { phase, attempts, lastError, lastCause, retryInMs } = state;
  return { at, upstream, phase, attempts, lastError, lastCause, retryInMs };
}
