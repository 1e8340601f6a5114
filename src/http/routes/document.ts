/** Route of the OpenAPI document, which describes all routes, itself among them. */

import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type RoutedApp } from "../routing.ts";

const documentRoute = createRoute({ method: "get", path: "/openapi.json" }, ({ failures, jsonResponse }) => ({
  operationId: "getDocument",
  tags: ["State"],
  summary: "This document",
  responses: { 200: jsonResponse("OpenAPI 3.1", { type: "object" }), ...failures() },
}));

export function documentRoutes(app: RoutedApp, { about, access }: AppParts): void {
  app.openapi(documentRoute, async (c) => {
    const { openApiDocument } = await import("../openapi.ts");
    return c.json(openApiDocument(app.described, about.version, access), 200, commonHeaders(c));
  });
}
