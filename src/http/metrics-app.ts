/** The app of the listener of its own for metrics: they and the probes, and nothing else. */

import { refused, SidesocketError } from "../errors.ts";
import { guardCaller, guardRoute } from "./guard.ts";
import type { Access, AppParts } from "./ports.ts";
import { problem } from "./problem.ts";
import { requestId } from "./request-id.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { probeRoutes } from "./routes/status.ts";
import { RoutedApp } from "./routing.ts";

/** @param access admits scrapers; probes show their details to those whom the API itself admits */
export function buildMetricsApp(parts: AppParts, access: Access): RoutedApp {
  const app = new RoutedApp();
  app.use((c, next) => {
    c.set("began", performance.now());
    c.set("budget", parts.budget);
    c.set("requestId", requestId(c.req.header("x-request-id")));
    const refusal = guardCaller(c, access) ?? guardRoute(c, access);
    if (refusal) throw refusal;
    return next();
  });
  metricsRoutes(app, parts);
  probeRoutes(app, parts);
  app.notFound((c) => problem(c, refused("not_found", "only /metrics and probes are served on this port").failure));
  app.onError((error, c) => {
    if (error instanceof SidesocketError) return problem(c, error.failure);
    parts.onFault(error, c.get("requestId"));
    const detail = "internal error in sidesocket: look up this request id in its log";
    return problem(c, { code: "internal_error", sent: "no", detail });
  });
  return app;
}
