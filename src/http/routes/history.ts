/** Routes of what happened lately: failures, and changes as they come. */

import type { FailedRequest, StateChange } from "../../telemetry/telemetry.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp } from "../routing.ts";
import type { EventStreams } from "../streaming/event-stream.ts";

const failuresRoute = createRoute(
  { method: "get", path: "/v1/failures", query: [] },
  ({ failures, jsonResponse, failureListSchema }) => ({
    operationId: "listFailures",
    tags: ["State"],
    summary: "The last failures",
    responses: {
      200: jsonResponse("At most 50 that named an upstream and 50 others, newest first", failureListSchema),
      ...failures(),
    },
  }),
);
const eventsRoute = createRoute(
  { method: "get", path: "/v1/events", query: ["ticket"] },
  ({ failures, eventContent, headers, ticketParameter }) => ({
    operationId: "readEvents",
    tags: ["State"],
    parameters: [ticketParameter],
    summary: "Changes of upstreams' states, and failures, as they come",
    responses: {
      200: {
        description: "Events `state`, `failure`, `gap` for those that a slow reader missed, and `end`",
        headers: headers("X-Request-Id"),
        content: eventContent,
      },
      ...failures("too_many_in_flight", "congested", "shutting_down"),
    },
  }),
);

export function historyRoutes(app: RoutedApp, { telemetry }: AppParts, streams: EventStreams): void {
  app.openapi(failuresRoute, (c) => {
    const failures = [...telemetry.failures].reverse().map(failureJson);
    return c.json<JsonOf<"failureListSchema">>({ failures }, 200, commonHeaders(c));
  });

  app.openapi(eventsRoute, (c) =>
    streams.respond(c, (emit) =>
      telemetry.on((event) => {
        if (event.type === "failure") emit("failure", failureJson(event.request));
        else emit("state", { upstream: event.change.upstream, ...changeJson(event.change) });
      }),
    ),
  );
}

function failureJson(request: FailedRequest): JsonOf<"failureListSchema">["failures"][number] {
  const { at, requestId, method, route, upstream, status, totalMs, failure } = request;
  return {
    at: at.toISOString(),
    request_id: requestId,
    method,
    route,
    upstream: upstream ?? null,
    code: failure.code,
    cause: failure.cause ?? null,
    sent: failure.sent,
    status,
    detail: failure.detail,
    total_ms: Number(totalMs.toFixed(1)),
  };
}

export function changeJson(change: StateChange): JsonOf<"stateChangeSchema"> {
  const { at, phase, attempts, lastError, lastCause, retryInMs } = change;
  return {
    at: at.toISOString(),
    phase,
    attempts,
    last_error: lastError ?? null,
    last_cause: lastCause ?? null,
    retry_in_ms: retryInMs ?? null,
  };
}
