/** The metrics: what each request leaves behind, and the text that a scrape gets. */

import { Histogram } from "../../core/util/histogram.ts";
import { EventLoopLag } from "../../sidecar/event-loop-lag.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { AppParts, MetricsPort } from "../ports.ts";
import { RequestMetrics } from "./request-metrics.ts";

/** Milliseconds that the threads have to report their counters; after that these have no samples. */
const INSPECT_WITHIN_MS = 500;

export class Metrics implements MetricsPort {
  readonly #telemetry: Pick<Telemetry, "refusals">;
  readonly #requests = new RequestMetrics();
  readonly #lag = new Histogram();
  /** Undefined before the first scrape: until somebody looks, nothing need be measured. */
  #timer: EventLoopLag | undefined;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
    telemetry.observeBeginnings((method) => this.#requests.began(method));
    telemetry.observe(({ route, method, status, failure, totalMs }) => {
      this.#requests.ended(route, method, status, failure?.code, totalMs);
    });
  }

  async scrape(parts: AppParts, isOpenMetrics: boolean): Promise<{ readonly type: string; readonly text: string }> {
    this.#timer ??= new EventLoopLag(
      () => performance.now(),
      (ms) => this.#lag.observe(ms / 1_000),
    );
    const { lifecycle, webhooks, instances, budget, keeper, about, reload } = parts;
    const [{ metricsText }, ...upstreams] = await Promise.all([
      import("./metrics-text.ts"),
      ...[...parts.upstreams.values()].map(async (port) => ({ port, details: await port.inspect(INSPECT_WITHIN_MS) })),
    ]);
    const { refusals } = this.#telemetry;
    const scrape = { requests: this.#requests, refusals, lag: this.#lag, upstreams, at: Date.now() };
    return metricsText(
      { ...scrape, reloads: reload?.state, lifecycle, webhooks, instances, budget, keeper, about },
      isOpenMetrics,
    );
  }

  stop(): void {
    this.#timer?.stop();
  }
}
