/** Route that fetches kept replies: those of asynchronous requests, and late ones. */

import { leaveSignal } from "../call/caller-left.ts";
import { hasEnded, locationOf } from "../call/detached.ts";
import { findUpstream } from "../call/find-upstream.ts";
import { type KeptFound, replyElsewhere } from "../call/held-reply.ts";
import { readPick } from "../call/respond.ts";
import { keptReplyResponse } from "../call/respond-async.ts";
import { readWait } from "../call/timeout.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type RoutedApp } from "../routing.ts";

const keptRoute = createRoute(
  { method: "get", path: "/v1/requests/{id}", query: ["wait", "pick"] },
  ({ failures, headers, idParameter, jsonResponse, pendingSchema, pickParameter, replyContent, waitParameter }) => ({
    operationId: "fetchReply",
    tags: ["Requests"],
    summary: "Fetch a late or asynchronous reply",
    parameters: [idParameter("The last part of the request's `Location`"), waitParameter, pickParameter],
    responses: {
      200: {
        description: "The reply, in the media type of its frame; the value alone, as text, with `pick`",
        headers: headers("Server-Timing"),
        content: replyContent,
      },
      202: jsonResponse("The reply may still come", pendingSchema, "Location", "Retry-After"),
      204: { description: "The message was sent, and has no reply", headers: headers() },
      ...failures(
        "not_found",
        "gone",
        "payload_too_large",
        "too_many_in_flight",
        "connection_lost",
        "upstream_down",
        "not_ready",
        "reply_timeout",
      ),
    },
  }),
);

export function keptRoutes(app: RoutedApp, parts: AppParts): void {
  const { keeper, lifecycle, upstreams } = parts;
  app.openapi(keptRoute, async (c) => {
    const pointer = readPick(c);
    const waitMs = readWait(c);
    const id = c.req.param("id") ?? "";
    const owner = callerOf(c).identity;
    const signals = { left: leaveSignal(c), stopping: lifecycle.stopping };
    const here = async (): Promise<KeptFound> => {
      const kept = keeper.find(id, owner);
      return { upstream: kept.upstream, state: await keeper.wait(kept, hasEnded, waitMs, signals) };
    };
    const elsewhere = replyElsewhere(parts, { id, owner, withinMs: waitMs }, signals);
    const { upstream, state } = await (elsewhere ?? here());
    const headers = commonHeaders(c);
    return keptReplyResponse(c, findUpstream(upstreams, upstream), state, headers, locationOf({ id }), pointer);
  });
}
