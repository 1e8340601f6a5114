/** Route of tickets, with which a browser's EventSource reads a stream that needs a token. */

import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import { refused } from "../../errors.ts";
import { JSON_ALONE, readMessage } from "../call/body.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp } from "../routing.ts";
import { TICKET_MS, type Tickets } from "../tickets.ts";

const PATH = "/v1/tickets";
const BODY_BYTES = 4_096;
/** The routes that are streams of events, as their paths are written. */
const STREAMS =
  /^\/v1\/(?:events|upstreams|upstreams\/[^/?#]+\/(?:instances\/[^/?#]+\/)?(?:subscriptions\/[^/?#]+\/)?messages)$/;

const ticketRoute = createRoute(
  { method: "post", path: PATH, query: [] },
  ({ failures, jsonResponse, ticketOrderSchema, ticketSchema }) => ({
    operationId: "issueTicket",
    tags: ["Messages"],
    summary: "Issue a ticket for one stream of events, to be sent as `?ticket=`",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: ticketOrderSchema, example: { route: "/v1/events" } } },
      },
    },
    responses: {
      201: jsonResponse("The ticket", ticketSchema),
      ...failures("payload_too_large", "unsupported_media_type", "too_many_in_flight", "congested", "shutting_down"),
    },
  }),
);

export function ticketRoutes(app: RoutedApp, parts: AppParts, tickets: Tickets): void {
  app.openapi(ticketRoute, async (c) => {
    const route = routeIn((await readMessage(c, JSON_ALONE, BODY_BYTES, parts)) as string);
    // An app of the program may have our routes below a path of its own.
    const path = `${c.req.path.slice(0, -PATH.length)}${route}`;
    const ticket = tickets.issue(path, callerOf(c), performance.now());
    if (ticket === undefined) {
      throw refused("too_many_in_flight", "too many tickets are unused: use them, or let them expire", RETRY_SOON_MS);
    }
    const body: JsonOf<"ticketSchema"> = { ticket, expires_at: new Date(Date.now() + TICKET_MS).toISOString() };
    return c.json(body, 201, commonHeaders(c));
  });
}

function routeIn(text: string): string {
  let body: { readonly route?: unknown } | null;
  try {
    body = JSON.parse(text);
  } catch {
    throw refused("invalid_request", 'the body is not JSON: send { "route": "/v1/events" }');
  }
  const route = body?.route;
  if (typeof route === "string" && STREAMS.test(route)) return route;
  const known = "/v1/events, /v1/upstreams, …/messages";
  throw refused("invalid_request", `route must be the path of a stream of events, without a query (${known})`);
}
