/** Routes of JSON-RPC 2.0 over HTTP, for clients that know nothing of sidesocket. */

import type { Context } from "hono";
import { callerId, callerIds } from "../../protocols/json-rpc.ts";
import { call, demandProtocol, openedProtocol } from "../call/call.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { replyResponse } from "../call/respond.ts";
import type { Env } from "../env.ts";
import type { AppParts } from "../ports.ts";
import { createRoute, type RoutedApp, type Schemas } from "../routing.ts";
import { rpcBatch, rpcFailure } from "../rpc-error.ts";

const described = ({ CALL_FAILURES, CALL_HEADERS, headers, json, rpcFailures, rpcMessage }: Schemas) => ({
  summary: "JSON-RPC 2.0 over HTTP: single requests, notifications and batches",
  request: { body: rpcMessage },
  responses: {
    200: {
      description:
        "The reply, or an array of replies in the caller's order; also an error of sidesocket whose `data.sent` is " +
        "not `no`, with `Sidesocket-Code`",
      headers: headers("Server-Timing", "Sidesocket-Code", "Sidesocket-Sent", "Location", ...CALL_HEADERS),
      content: { "application/json": json },
    },
    204: { description: "Only notifications, which have no reply", headers: headers(...CALL_HEADERS) },
    ...rpcFailures(...CALL_FAILURES),
  },
});

const rpcRoute = createRoute({ method: "post", path: "/rpc", query: ["timeout"] }, (schemas) => ({
  operationId: "callRpc",
  tags: ["JSON-RPC"],
  parameters: [...schemas.waitParameters, schemas.keyParameter],
  ...described(schemas),
}));
const rpcNamedRoute = createRoute({ method: "post", path: "/rpc/{upstream}", query: ["timeout"] }, (schemas) => ({
  operationId: "callUpstreamRpc",
  tags: ["JSON-RPC"],
  parameters: [schemas.upstreamParameter, ...schemas.waitParameters, schemas.keyParameter],
  ...described(schemas),
}));

/**
 * JSON-RPC clients repeat a request by themselves on 502, 503 and 504. So a status other than 2xx always means that
 * nothing was sent; the failure of a message that may have been sent is a 200 with an error in the body.
 */
export function rpcRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);
  const handle = async (c: Context<Env>): Promise<Response> => {
    demandProtocol(c, upstreamOf(c).protocol ?? (await openedProtocol(c)), "json-rpc");
    const { outcome, upstream, headers, request } = await call(c, parts, "rpc");
    switch (outcome.type) {
      case "reply":
        return replyResponse(c, upstream, outcome, headers);
      case "batch":
        return rpcBatch(c, upstream, outcome, headers);
      case "done":
        return c.body(null, 204, headers);
      case "failed": {
        // An invalid message has the id null, unless the protocol could read its id.
        if (outcome.invalid) return rpcFailure(c, upstream, outcome, headers);
        // A thread that is full or gone reports no ids: take them from the message.
        const ids = callerIds(request.body, upstream.settings.limits.batch_items);
        const each = ids?.map((own) => ({ ...outcome, own }));
        if (each) return rpcBatch(c, upstream, { items: each, done: 0 }, headers);
        return rpcFailure(c, upstream, { ...outcome, own: outcome.own ?? callerId(request.body) }, headers);
      }
    }
  };
  app.openapi(rpcRoute, named, handle);
  app.openapi(rpcNamedRoute, named, handle);
}
