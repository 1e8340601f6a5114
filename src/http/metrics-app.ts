/** The app of the listener of its own for metrics: they and the probes, and nothing else. */

import { frameFailures, frameRequests } from "./app-frame.ts";
import { guardCaller, guardRoute } from "./guard.ts";
import type { Access, AppParts } from "./ports.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { probeRoutes } from "./routes/status.ts";
import { RoutedApp } from "./routing.ts";

/** @param access admits scrapers; probes show their details to those whom the API itself admits */
export function buildMetricsApp(parts: AppParts, access: Access): RoutedApp {
  const app = new RoutedApp();
  frameRequests(app, parts, (c) => guardCaller(c, access) ?? guardRoute(c, access));
  metricsRoutes(app, parts);
  probeRoutes(app, parts);
  frameFailures(app, parts, "only /metrics and probes are served on this port");
  return app;
}
