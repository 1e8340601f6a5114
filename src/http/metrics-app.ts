/** The app of the listener of its own for metrics: they and the probes, and nothing else. */

import type { Context } from "hono";
import { frameRequests } from "./app-frame.ts";
import type { Env } from "./env.ts";
import { guardCaller, guardRoute } from "./guard.ts";
import type { Access, AppParts } from "./ports.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { probeRoutes } from "./routes/status.ts";
import { RoutedApp } from "./routing.ts";

/** @param access admits scrapers; probes show their details to those whom the API itself admits */
export function buildMetricsApp(parts: AppParts, access: Access): RoutedApp {
  const app = new RoutedApp();
  const check = (c: Context<Env>) => guardCaller(c, access) ?? guardRoute(c, access);
  frameRequests(app, parts, check, "only /metrics and probes are served on this port");
  metricsRoutes(app, parts);
  probeRoutes(app, parts);
  return app;
}
