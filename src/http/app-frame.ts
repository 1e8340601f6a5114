/** The frame of every app: the record of each request, the check of its caller, and the responses to failures. */

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
import { isOtherWord, type RoutedApp } from "./routing.ts";
import { isRpc, rpcFailure } from "./rpc-error.ts";

/**
 * Reports each request to telemetry at its end, also a refused one. Register it before the routes that it is for.
 * @param check returns the refusal of a caller, if any
 */
export function frameRequests(
  app: RoutedApp,
  { budget, telemetry }: AppParts,
  check: (c: Context<Env>) => SidesocketError | undefined,
): void {
  app.use((c, next) => {
    const traceparent = header(c, "traceparent");
    const trace = traceparent === undefined ? undefined : readTraceparent(traceparent);
    c.set("record", new RequestRecord(requestId(header(c, "x-request-id")), budget, trace));
    telemetry.requestBegan(c.req.method);
    const ended = (response: Response) => {
      c.get("record").route ??= app.templateOf(c);
      telemetry.requestEnded(new EndedHttpRequest(c, response.status));
    };
    const refusal = check(c);
    if (!refusal) return next().then(() => ended(c.res));
    const response = failureResponse(c, refusal.failure);
    ended(response);
    return Promise.resolve(response);
  });
}

/**
 * Register it after the routes.
 * @param served names the routes that there are, for callers of others
 */
export function frameFailures(app: RoutedApp, { onFault }: AppParts, served: string): void {
  refuseOtherMethods(app);
  app.notFound((c) => problem(c, refused("not_found", `no such route (${served})`).failure));
  app.onError((error, c) => {
    if (error instanceof SidesocketError) return failureResponse(c, error.failure);
    // The caller has left and its request was abandoned: this response reaches nobody.
    if (isCallerLeft(c, error)) return new Response(null, { status: 499 });
    onFault(error, c.get("record").requestId);
    const detail = "internal error in sidesocket: look up this request id in its log";
    return failureResponse(c, { code: "internal_error", sent: "maybe", detail });
  });
}

/** Refuses a known path with another method: 405, with the methods it has in `Allow`. */
function refuseOtherMethods(app: RoutedApp): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method !== "ALL") methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, known] of methods) {
    const allow = [...known, ...(known.has("GET") ? ["HEAD"] : [])].join(", ");
    app.all(path, (c: Context<Env>) => {
      if (isOtherWord(c, path)) return c.notFound();
      const { failure } = refused(
        "method_not_allowed",
        `${c.req.method} is not allowed on this path (allowed: ${allow})`,
      );
      return failureResponse(c, failure, { Allow: allow });
    });
  }
}

/** The response to a failure outside a route, in the format of its path: JSON-RPC or problem document. */
export function failureResponse(c: Context<Env>, failure: Failure, more?: ResponseHeaders): Response {
  if (isRpc(c)) return rpcFailure(c, c.get("record").upstream, { type: "failed", failure }, more);
  return problem(c, failure, undefined, more);
}
