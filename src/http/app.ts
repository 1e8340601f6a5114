/** The Hono app: the checks that every HTTP request passes, then the families of routes. */

import type { Context } from "hono";
import { cors } from "hono/cors";
import { frameRequests } from "./app-frame.ts";
import type { Env } from "./env.ts";
import { guardCaller, guardRoute } from "./guard.ts";
import type { Access, AppParts } from "./ports.ts";
import { documentRoutes } from "./routes/document.ts";
import { graphqlRoutes } from "./routes/graphql.ts";
import { historyRoutes } from "./routes/history.ts";
import { instanceRoutes } from "./routes/instances.ts";
import { keptRoutes } from "./routes/kept-replies.ts";
import { messageRoutes } from "./routes/messages.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { pageRoutes } from "./routes/pages.ts";
import { reloadRoutes } from "./routes/reload.ts";
import { replyRoutes } from "./routes/replies.ts";
import { requestRoutes } from "./routes/request.ts";
import { rpcRoutes } from "./routes/rpc.ts";
import { shutdownRoutes } from "./routes/shutdown.ts";
import { probeRoutes, statusRoutes } from "./routes/status.ts";
import { subscriptionRoutes } from "./routes/subscriptions.ts";
import { ticketRoutes } from "./routes/tickets.ts";
import { RoutedApp } from "./routing.ts";
import { EventStreams } from "./streaming/event-stream.ts";
import { Tickets } from "./tickets.ts";

export function buildApp(parts: AppParts): RoutedApp {
  const { access } = parts;
  const app = new RoutedApp(parts.instances !== undefined);

  const tickets = new Tickets();
  const servesPages = access.origins.length > 0;
  pageRoutes(app, parts);
  const checkCaller = (c: Context<Env>) =>
    guardCaller(c, access) ?? (servesPages ? undefined : guardRoute(c, access, tickets));
  frameRequests(app, parts, checkCaller, "/openapi.json lists all routes");
  if (servesPages) {
    // Before the token check: a preflight carries no token, and a page must be able to read its 401.
    const crossing = crossOrigin(access);
    app.use((c, next) => Promise.resolve(app.frame(c, async () => (await crossing(c, next)) ?? c.res)));
    app.use((c, next) => {
      const refusal = guardRoute(c, access, tickets);
      if (refusal) throw refusal;
      return next();
    });
  }

  const eventStreams = new EventStreams(parts);
  requestRoutes(app, parts);
  rpcRoutes(app, parts);
  graphqlRoutes(app, parts);
  keptRoutes(app, parts);
  instanceRoutes(app, parts);
  messageRoutes(app, parts);
  replyRoutes(app, parts);
  subscriptionRoutes(app, parts);
  probeRoutes(app, parts);
  statusRoutes(app, parts, eventStreams);
  historyRoutes(app, parts, eventStreams);
  metricsRoutes(app, parts);
  ticketRoutes(app, parts, tickets);
  shutdownRoutes(app, parts);
  reloadRoutes(app, parts, parts.reload);
  documentRoutes(app, parts);
  return app;
}

const ALLOWED_HEADERS = [
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "Last-Event-ID",
  "Prefer",
  "Traceparent",
  "Tracestate",
  "X-Request-Id",
];

/** Lets pages of the allowed origins call and read our headers. Without credentials: the API uses no cookies. */
function crossOrigin({ origins, cors: { allowHeaders, maxAgeMs } }: Access) {
  return cors({
    origin: [...origins],
    allowHeaders: [...ALLOWED_HEADERS, ...allowHeaders],
    maxAge: Math.floor(maxAgeMs / 1_000),
    exposeHeaders: [
      "X-Request-Id",
      "Sidesocket-Code",
      "Sidesocket-Sent",
      "Sidesocket-Upstream",
      "Retry-After",
      "Server-Timing",
      "Location",
      "Preference-Applied",
      "Idempotency-Replayed",
      "Traceparent",
    ],
  });
}
