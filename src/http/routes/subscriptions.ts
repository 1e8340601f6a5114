/** Routes of subscriptions: declared once, renewed on every connect, each with messages of its own. */

import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { subscriptionOrderJson } from "../../config/json-schema.ts";
import { check, dotted } from "../../config/problems.ts";
import { type SubscriptionSettings, subscriptionOrderSchema } from "../../config/schema.ts";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import { type Failure, refused, type Sent, SidesocketError } from "../../errors.ts";
import { check as demandJson } from "../../protocols/json-check.ts";
import { MAX_MESSAGE_DEPTH } from "../../protocols/json-message.ts";
import { preparePatterns } from "../../protocols/lazy-pattern.ts";
import type { SubscriptionInfo } from "../../sidecar/host/subscriptions.ts";
import { readMessage } from "../call/body.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { readWaitLimit } from "../call/timeout.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { type App, createRoute, type JsonOf, json } from "../routing.ts";
import { journalResponse } from "./messages.ts";

const path = "/v1/upstreams/{upstream}/subscriptions";

const createdRoute = createRoute(
  { method: "post", path },
  ({ failures, subscriptionSchema, upstreamParameter, waitParameters }) => ({
    summary: "Create a subscription, which is renewed on every reconnect",
    parameters: [upstreamParameter, ...waitParameters],
    request: {
      body: { required: true, content: { "application/json": { schema: subscriptionOrderJson() } } },
    },
    responses: {
      201: json("The upstream has agreed; the subscription is at `Location`", subscriptionSchema),
      200: json("The same subscription exists already", subscriptionSchema),
      ...failures,
    },
  }),
);

const listRoute = createRoute({ method: "get", path }, ({ failures, subscriptionListSchema, upstreamParameter }) => ({
  summary: "List subscriptions",
  parameters: [upstreamParameter],
  responses: { 200: json("All subscriptions", subscriptionListSchema), ...failures },
}));

const oneRoute = createRoute(
  { method: "get", path: `${path}/{id}` },
  ({ failures, idParameter, subscriptionSchema, upstreamParameter }) => ({
    summary: "The state of one subscription",
    parameters: [upstreamParameter, idParameter],
    responses: { 200: json("The state", subscriptionSchema), ...failures },
  }),
);

const deletedRoute = createRoute(
  { method: "delete", path: `${path}/{id}` },
  ({ failures, idParameter, upstreamParameter }) => ({
    summary: "Remove a subscription",
    parameters: [upstreamParameter, idParameter],
    responses: { 204: { description: "Removed, with its messages" }, ...failures },
  }),
);

const messagesRoute = createRoute(
  { method: "get", path: `${path}/{id}/messages` },
  ({ failures, idParameter, messageParameters }) => ({
    summary: "Read the messages of a subscription",
    parameters: [idParameter, ...messageParameters],
    responses: { 200: { description: "As for the messages of the upstream" }, ...failures },
  }),
);

export function subscriptionRoutes(app: App, parts: AppParts): void {
  const named = withUpstream(parts.upstreams);

  app.openapi(createdRoute, named, async (c) => {
    const upstream = upstreamOf(c);
    const { subscriptions, settings } = upstream;
    if (!parts.lifecycle.accepting) throw refused("shutting_down", "the service is shutting down");
    const { timeoutMs, applied } = readWaitLimit(c);
    const headers = { ...commonHeaders(c), ...(applied !== undefined && { "Preference-Applied": applied }) };
    const { name = `s-${randomUUID()}`, ...order } = await readOrder(c, parts, upstream);
    const existing = subscriptions.get(name);
    if (existing && JSON.stringify(existing.settings) !== JSON.stringify(order)) {
      const detail = `a different subscription ${JSON.stringify(name)} exists: delete it, or choose another name`;
      throw refused("conflict", detail);
    }
    if (existing && !subscriptions.watched(name)) return c.json(stateOf(upstream, existing), 200, headers);
    if (!existing && subscriptions.size >= settings.limits.subscriptions) {
      const detail = `limits.subscriptions (${settings.limits.subscriptions}) is reached: delete one or raise it`;
      throw refused("too_many_in_flight", detail, RETRY_SOON_MS);
    }
    await subscribe(c, parts, upstream, { name, order, timeoutMs });
    const created = subscriptions.get(name);
    if (!created) throw refused("not_found", "the subscription was deleted meanwhile");
    const body = stateOf(upstream, created);
    if (existing) return c.json(body, 200, headers);
    return c.json(body, 201, { ...headers, Location: body.messages.replace(/\/messages$/, "") });
  });

  app.openapi(listRoute, named, (c) => {
    const upstream = upstreamOf(c);
    const subscriptions = upstream.subscriptions.list().map((info) => stateOf(upstream, info));
    return c.json<JsonOf<"subscriptionListSchema">>({ subscriptions }, 200, commonHeaders(c));
  });

  app.openapi(oneRoute, named, (c) => {
    const upstream = upstreamOf(c);
    return c.json(stateOf(upstream, find(c, upstream)), 200, commonHeaders(c));
  });

  app.openapi(deletedRoute, named, (c) => {
    const upstream = upstreamOf(c);
    if (!upstream.subscriptions.remove(find(c, upstream).name)) throw unknown(c);
    return c.body(null, 204, commonHeaders(c));
  });

  app.openapi(messagesRoute, named, (c) => journalResponse(c, parts, find(c, upstreamOf(c)).name));
}

async function readOrder(c: Context<Env>, { lifecycle }: AppParts, { settings }: UpstreamPort) {
  const text = (await readMessage(c, "json", settings.limits.request_bytes, lifecycle)) as string;
  try {
    demandJson(text, MAX_MESSAGE_DEPTH);
  } catch (error) {
    throw refused("invalid_request", `the body is not usable JSON: ${(error as Error).message}`);
  }
  const given: unknown = JSON.parse(text);
  await preparePatterns(given);
  const checked = check(subscriptionOrderSchema, given);
  if ("value" in checked) return checked.value;
  const all = checked.problems.map(({ path, what }) => `${dotted(path) || "the body"} ${what}`);
  throw refused("invalid_request", all.join("; "));
}

/**
 * Resolves when the upstream has agreed. On any other end, the caller's leaving included, it rejects and removes the
 * subscription, unless another caller waits for the same one.
 */
function subscribe(
  c: Context<Env>,
  { lifecycle: { stopping } }: AppParts,
  { subscriptions, state: { phase: connection } }: UpstreamPort,
  {
    name,
    order,
    timeoutMs,
  }: { readonly name: string; readonly order: SubscriptionSettings; readonly timeoutMs: number },
): Promise<void> {
  const left = leaveSignal(c);
  return new Promise((resolve, reject) => {
    const existing = subscriptions.get(name);
    let phase = existing?.phase ?? "waiting";
    // On a ready connection the request goes out before we hear of it; an existing subscription may have sent its own.
    let sent: Sent = connection === "ready" || existing ? "maybe" : "no";
    const end = (settle: () => void) => {
      clearTimeout(timer);
      unwatch();
      stopping.off(onStop);
      left.removeEventListener("abort", leave);
      settle();
    };
    const undo = (reason: unknown) => {
      end(() => reject(reason));
      if (!subscriptions.watched(name)) subscriptions.remove(name);
    };
    const fail = (failure: Failure) => undo(new SidesocketError(failure));
    const leave = () => undo(left.reason);
    const unwatch = subscriptions.watch(name, (state) => {
      if (state === undefined) {
        return fail({ code: "conflict", sent, detail: "the subscription was deleted before the upstream agreed" });
      }
      ({ phase } = state);
      if (phase === "asking") sent = "maybe";
      if (phase === "active") end(resolve);
      else if (phase === "failed" && state.lastFailure) fail(state.lastFailure);
    });
    const timer = setTimeout(() => {
      if (phase === "asking") fail({ code: "reply_timeout", sent, detail: "the upstream did not agree in time" });
      else if (sent === "no") fail({ code: "upstream_down", sent, detail: "the upstream is not connected" });
      else fail({ code: "connection_lost", sent, detail: "the connection was lost before the upstream agreed" });
    }, timeoutMs);
    const onStop = stopping.on(() => {
      if (sent === "no") fail({ code: "shutting_down", sent, detail: "the service is shutting down" });
      else fail({ code: "cancelled", sent, detail: "the service stopped before the upstream agreed" });
    });
    left.addEventListener("abort", leave, { once: true });
    if (!existing) subscriptions.add(name, order);
    if (left.aborted) leave();
  });
}

function find(c: Context<Env>, { subscriptions }: UpstreamPort): SubscriptionInfo {
  const found = subscriptions.get(c.req.param("id") ?? "");
  if (!found) throw unknown(c);
  return found;
}

function unknown(c: Context<Env>): SidesocketError {
  const id = JSON.stringify(c.req.param("id")?.slice(0, 64));
  return refused("not_found", `unknown subscription ${id} (GET …/subscriptions lists all)`);
}

function stateOf({ name: upstream }: UpstreamPort, info: SubscriptionInfo): JsonOf<"subscriptionSchema"> {
  const { name, phase, since, activations, lastFailure } = info;
  return {
    id: name,
    phase,
    since: since.toISOString(),
    activations,
    last_error: lastFailure?.detail ?? null,
    messages: `/v1/upstreams/${upstream}/subscriptions/${name}/messages`,
  };
}
