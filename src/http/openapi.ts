/** OpenAPI document of all routes, loaded only when `/openapi.json` is requested. */

import { OpenAPIHono } from "@hono/zod-openapi";
import { subscriptionOrderJson } from "../config/json-schema.ts";
import * as described from "./described.ts";
import { BARE_PROBES, OPERATING } from "./guard.ts";
import type { Access } from "./ports.ts";
import type { Route } from "./routing.ts";
import * as schemas from "./schemas.ts";

/** The types of the package know only the `url` of OpenAPI 3.0. */
const license = { name: "MIT", identifier: "MIT" };

/** @param access decides which routes need a token */
export function openApiDocument(
  routes: readonly Route[],
  version: string,
  access: Pick<Access, "tokens" | "shutdownTokens" | "openShutdown">,
): object {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  const { schema, parts } = subscriptionOrderJson("#/components/schemas/");
  for (const [name, part] of Object.entries({ ...parts, SubscriptionOrder: schema })) {
    registry.registerComponent("schemas", name, part as object);
  }
  // Failures refer to these by name.
  registry.register("Problem", schemas.problemSchema);
  registry.register("RpcError", schemas.rpcErrorSchema);
  for (const [name, header] of Object.entries(described.HEADERS)) registry.registerComponent("headers", name, header);
  registry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "A token of the API, or for `/shutdown` and `/reload` theirs, if they have one of their own",
  });
  const all = routes.map(({ describe }) => describe({ ...schemas, ...described }));
  for (const route of all) registry.registerPath({ ...route, security: securityOf(route.path, access) });
  const responses = all.flatMap((route) => Object.values(route.responses));
  const references = new Set(responses.flatMap((response) => ("$ref" in response ? [response.$ref] : [])));
  for (const [name, response] of Object.entries(described.failureComponents())) {
    if (references.has(`#/components/responses/${name}`)) registry.registerComponent("responses", name, response);
  }
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "sidesocket",
      version,
      description: "Call any WebSocket API as if it were HTTP.",
      license,
    },
    servers: [{ url: "/", description: "The origin that served this document" }],
    tags: Object.entries(described.TAGS).map(([name, description]) => ({ name, description })),
  });
}

const TOKEN = { token: [] };

/** Without configured tokens one is not needed, and does no harm. */
function securityOf(
  path: string,
  { tokens, shutdownTokens, openShutdown }: Pick<Access, "tokens" | "shutdownTokens" | "openShutdown">,
): Record<string, string[]>[] {
  const isNeeded = OPERATING.has(path) ? !shutdownTokens.isEmpty || !openShutdown : !tokens.isEmpty;
  return isNeeded && !BARE_PROBES.has(path) ? [TOKEN] : [{}, TOKEN];
}
