/** OpenAPI document of all routes, loaded only when `/openapi.json` is requested. */

import { OpenAPIHono } from "@hono/zod-openapi";
import type { Route } from "./routing.ts";
import * as schemas from "./schemas.ts";

export function openApiDocument(routes: readonly Route[], version: string): object {
  const app = new OpenAPIHono();
  for (const { describe } of routes) app.openAPIRegistry.registerPath(describe(schemas));
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "sidesocket", version, description: "Call any WebSocket API as if it were HTTP." },
    // Both: only the configuration decides whether a token is required.
    security: [{}, { token: [] }],
  });
}
