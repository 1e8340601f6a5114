/** Route that runs the exit protocol and returns its report. */

import { refused } from "../../errors.ts";
import { guardOperator } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp, type RouteStep } from "../routing.ts";

const shutdownRoute = createRoute(
  { method: "post", path: "/shutdown", query: ["force"] },
  ({ failures, jsonResponse, reportSchema }) => ({
    operationId: "shutDown",
    tags: ["Exit"],
    summary: "Run the exit protocol; every caller gets the same report",
    parameters: [
      {
        name: "force",
        in: "query",
        description: "`true` sets all remaining bounds to zero, in the same order of steps",
        schema: { type: "boolean", default: false },
      },
    ],
    responses: {
      200: jsonResponse("The exit report", reportSchema),
      ...failures(),
    },
  }),
);

export function shutdownRoutes(app: RoutedApp, { access, lifecycle }: AppParts): void {
  const guarded: RouteStep = (c) => {
    const refusal = guardOperator(c, access);
    if (refusal) throw refusal;
  };
  app.openapi(shutdownRoute, guarded, async (c) => {
    const force = readForce(c.req.query("force"));
    const connection = c.env?.incoming?.socket;
    const report = await lifecycle.exit({ cause: "/shutdown", force, connection });
    const body: JsonOf<"reportSchema"> = { ...report, steps: [...report.steps] };
    return c.json(body, 200, { ...commonHeaders(c), Connection: "close" });
  });
}

function readForce(text: string | undefined): boolean {
  if (text === undefined || text === "false" || text === "0") return false;
  if (text === "" || text === "true" || text === "1") return true;
  throw refused("invalid_request", "force must be true or false");
}
