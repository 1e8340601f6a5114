/** The frame around every handler: the record of its request, the check of the caller, the response to a failure. */

import type { Context } from "hono";
import { readTraceparent } from "../core/util/traceparent.ts";
import { type Failure, refused, SidesocketError } from "../errors.ts";
import { isCallerLeft } from "./call/caller-left.ts";
import { EndedHttpRequest } from "./ended-request.ts";
import { type Env, RequestRecord } from "./env.ts";
import type { AppParts } from "./ports.ts";
import { problem, type ResponseHeaders } from "./problem.ts";
import { header } from "./request-header.ts";
import { requestId } from "./request-id.ts";
import type { Frame, RoutedApp } from "./routing.ts";
import { isRpc, rpcFailure } from "./rpc-error.ts";

/**
 * Frames every handler that is registered from here on, and what no route serves: a request gets its record, its caller
 * is checked, and telemetry hears of its end. Not as a middleware of Hono's: with a single handler for a request, Hono
 * awaits nothing of its own.
 * @param check returns the refusal of a caller, if any
 * @param served names the routes that there are, for callers of others
 */
export function frameRequests(
  app: RoutedApp,
  { budget, telemetry, onFault }: AppParts,
  check: (c: Context<Env>) => SidesocketError | undefined,
  served: string,
): void {
  const failed = (error: unknown, c: Context<Env>): Response => {
    if (error instanceof SidesocketError) return failureResponse(c, error.failure);
    // The caller has left and its request was abandoned: this response reaches nobody.
    if (isCallerLeft(c, error)) return new Response(null, { status: 499 });
    onFault(error, c.get("record").requestId);
    const detail = "internal error in sidesocket: look up this request id in its log";
    return failureResponse(c, { code: "internal_error", sent: "maybe", detail });
  };
  const frame: Frame = (c, handle) => {
    // A frame around all of the app's handlers has begun it.
    if (c.get("record") as RequestRecord | undefined) return handle(c);
    const traceparent = header(c, "traceparent");
    const trace = traceparent === undefined ? undefined : readTraceparent(traceparent);
    c.set("record", new RequestRecord(requestId(header(c, "x-request-id")), budget, trace));
    telemetry.requestBegan(c.req.method);
    const ended = (response: Response): Response => {
      c.get("record").route ??= app.routesAt(c.req.path).template;
      telemetry.requestEnded(new EndedHttpRequest(c, response.status));
      return response;
    };
    try {
      const refusal = check(c);
      const response = refusal ? failureResponse(c, refusal.failure) : handle(c);
      if (response instanceof Promise) return response.then(ended, (error) => ended(failed(error, c)));
      return ended(response);
    } catch (error) {
      return ended(failed(error, c));
    }
  };
  app.frame = frame;
  app.notFound((c) => frame(c, () => unserved(app, c, served)));
  app.onError((error, c) => failed(error, c));
}

/** Refuses a path that no route has: 404; or another method of a known one: 405, with the methods that it has. */
function unserved(app: RoutedApp, c: Context<Env>, served: string): Response {
  const { methods: known } = app.routesAt(c.req.path);
  if (known.length === 0) return problem(c, refused("not_found", `no such route (${served})`).failure);
  const allow = [...known, ...(known.includes("GET") ? ["HEAD"] : [])].join(", ");
  const { failure } = refused("method_not_allowed", `${c.req.method} is not allowed on this path (allowed: ${allow})`);
  return failureResponse(c, failure, { Allow: allow });
}

/** The response to a failure outside a route, in the format of its path: JSON-RPC or problem document. */
export function failureResponse(c: Context<Env>, failure: Failure, more?: ResponseHeaders): Response {
  if (isRpc(c)) return rpcFailure(c, c.get("record").upstream, { type: "failed", failure }, more);
  return problem(c, failure, undefined, more);
}
