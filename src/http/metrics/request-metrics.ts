/** The durations of HTTP requests, recorded at the end of each. */

import { Histogram } from "../../core/util/histogram.ts";
import type { ErrorCode } from "../../errors.ts";

/** The labels of one histogram. No caller chooses any of them. */
export interface RequestSeries {
  /** The template of the route, or `unmatched`. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly error: ErrorCode | undefined;
  readonly histogram: Histogram;
}

/** The methods that HTTP itself defines, and `PATCH`; a caller may send any other word. */
const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);

/** The name that OpenTelemetry gives to every other method. */
const OTHER_METHOD = "_OTHER";

/**
 * Finds the histogram of a request by its route, then by comparing: a route has few methods and statuses, and the most
 * frequent are found first, since they came first.
 */
export class RequestMetrics {
  readonly #byRoute = new Map<string, RequestSeries[]>();
  readonly #active = new Map<string, number>();

  began(method: string): void {
    this.#addActive(method, 1);
  }

  /** How many requests wait for their response, by method. */
  get active(): ReadonlyMap<string, number> {
    return this.#active;
  }

  ended(route: string, method: string, status: number, error: ErrorCode | undefined, totalMs: number): void {
    this.#addActive(method, -1);
    this.#record(route, method, status, error, totalMs);
  }

  #record(route: string, method: string, status: number, error: ErrorCode | undefined, totalMs: number): void {
    const ofRoute = this.#byRoute.get(route) ?? this.#addRoute(route);
    const seconds = totalMs / 1_000;
    for (const series of ofRoute) {
      if (series.status === status && series.method === method && series.error === error) {
        series.histogram.observe(seconds);
        return;
      }
    }
    if (METHODS.has(method) || method === OTHER_METHOD) {
      const histogram = new Histogram();
      histogram.observe(seconds);
      ofRoute.push({ route, method, status, error, histogram });
    } else {
      this.#record(route, OTHER_METHOD, status, error, totalMs);
    }
  }

  get series(): readonly RequestSeries[] {
    return [...this.#byRoute.values()].flat();
  }

  #addActive(given: string, more: 1 | -1): void {
    const method = METHODS.has(given) ? given : OTHER_METHOD;
    this.#active.set(method, (this.#active.get(method) ?? 0) + more);
  }

  #addRoute(route: string): RequestSeries[] {
    const series: RequestSeries[] = [];
    this.#byRoute.set(route, series);
    return series;
  }
}
