/** Route of replies to the upstream's own requests, which are among its messages. */

import { replyToMessage } from "../../sidecar/host/reply-to-message.ts";
import { decodeText, readMessage } from "../call/body.ts";
import { openedProtocol } from "../call/call.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { demandAccepting } from "../demand-accepting.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders, problem } from "../problem.ts";
import { createRoute, type RoutedApp } from "../routing.ts";

const replyRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/messages/{cursor}/reply", query: [] },
  ({ CALL_FAILURES, cursorParameter, failures, headers, json, upstreamParameter }) => ({
    operationId: "replyToMessage",
    tags: ["Messages"],
    summary: "Reply to a request of the upstream's own",
    parameters: [upstreamParameter, cursorParameter],
    request: {
      body: {
        required: true,
        description: 'The reply by the upstream\'s protocol: `{"result": …}` or `{"error": {…}}` in JSON-RPC',
        content: { "application/json": { ...json, example: { result: null } } },
      },
    },
    responses: {
      204: { description: "Handed to the socket, which does not prove that it arrived", headers: headers() },
      ...failures(...CALL_FAILURES, "conflict"),
    },
  }),
);

export function replyRoutes(app: RoutedApp, parts: AppParts): void {
  app.openapi(replyRoute, withUpstream(parts), async (c) => {
    const upstream = upstreamOf(c);
    demandAccepting(parts.lifecycle);
    const { accepts } = upstream.protocol ?? (await openedProtocol(c));
    const message = await readMessage(c, { accepts }, upstream.settings.limits.request_bytes, parts);
    const body = typeof message === "string" ? message : decodeText(message);
    const leave = parts.quotas?.request(upstream, callerOf(c).share, body.length);
    try {
      const call = { trace: c.get("record").trace, signal: leaveSignal(c) };
      const outcome = await replyToMessage(upstream, c.req.param("cursor") ?? "", body, call);
      return "failure" in outcome ? problem(c, outcome.failure, upstream) : c.body(null, 204, commonHeaders(c));
    } finally {
      leave?.();
    }
  });
}
