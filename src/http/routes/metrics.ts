/** Route of the metrics, for Prometheus and whatever else reads its format. */

import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { header } from "../request-header.ts";
import { createRoute, type RoutedApp } from "../routing.ts";

// Without `query`: Prometheus can be told to add parameters, and they change nothing.
const metricsRoute = createRoute({ method: "get", path: "/metrics" }, ({ failures, headers, metricsContent }) => ({
  operationId: "getMetrics",
  tags: ["State"],
  summary: "Metrics in the text format of Prometheus, or as OpenMetrics if `Accept` prefers it",
  responses: { 200: { description: "All metrics", headers: headers(), content: metricsContent }, ...failures() },
}));

export function metricsRoutes(app: RoutedApp, parts: AppParts): void {
  app.openapi(metricsRoute, async (c) => {
    const isOpenMetrics = header(c, "accept")?.includes("application/openmetrics-text") ?? false;
    const { type, text } = await parts.metrics.scrape(parts, isOpenMetrics);
    return c.body(text, 200, { ...commonHeaders(c), "Content-Type": type });
  });
}
