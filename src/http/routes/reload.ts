/** Route that reloads the configuration and returns what has changed. */

import { guardOperator } from "../guard.ts";
import type { AppParts, ReloadPort, ReloadState } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp, type RouteStep } from "../routing.ts";

const reloadRoute = createRoute(
  { method: "post", path: "/reload", query: [] },
  ({ failures, jsonResponse, reloadReportSchema }) => ({
    operationId: "reload",
    tags: ["Reload"],
    summary: "Reload the configuration; a wrong one changes nothing",
    responses: {
      200: jsonResponse("What has changed", reloadReportSchema),
      ...failures("invalid_request", "shutting_down"),
    },
  }),
);

/** @param reload undefined in an app that has no configuration of its own: then there is no such route */
export function reloadRoutes(app: RoutedApp, { access }: AppParts, reload: ReloadPort | undefined): void {
  if (!reload) return;
  const guarded: RouteStep = (c) => {
    const refusal = guardOperator(c, access);
    if (refusal) throw refusal;
  };
  app.openapi(reloadRoute, guarded, async (c) =>
    c.json<JsonOf<"reloadReportSchema">>(await reload.run("/reload"), 200, commonHeaders(c)),
  );
}

/** The last reload as the list of upstreams shows it; null before the first. */
export function shownReload(state: ReloadState | undefined): JsonOf<"reloadStateSchema"> | null {
  if (!state) return null;
  const { lastAt, lastSuccess, lastError, successes, failures } = state;
  return { at: lastAt.toISOString(), success: lastSuccess, error: lastError, successes, failures };
}
