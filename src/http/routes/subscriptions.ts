/** Routes of subscriptions: declared once, renewed on every connect, each with messages of its own. */

import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { checkedOrder } from "../../config/subscription-order.ts";
import { UNSUBSCRIBE_TIMEOUT_MS } from "../../core/outcome.ts";
import { flat } from "../../core/util/flat.ts";
import { refused, SidesocketError } from "../../errors.ts";
import { check as demandJson } from "../../protocols/json-check.ts";
import { checkedJson, MAX_MESSAGE_DEPTH } from "../../protocols/json-message.ts";
import { locate } from "../../protocols/json-place.ts";
import { demandUndeclared, subscribe, unsubscribed } from "../../sidecar/host/subscribe.ts";
import type { SubscriptionInfo } from "../../sidecar/host/subscriptions.ts";
import { JSON_ALONE, readMessage } from "../call/body.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { readWaitLimit } from "../call/timeout.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp } from "../routing.ts";
import { pathOf } from "../upstream-path.ts";
import {
  ACKNOWLEDGE_QUERY,
  acknowledgeResponse,
  acknowledgeResponses,
  journalResponse,
  MESSAGE_QUERY,
  messageResponses,
} from "./messages.ts";

const path = "/v1/upstreams/{upstream}/subscriptions";

const NAME = "The name of the subscription";

const createdRoute = createRoute(
  { method: "post", path, query: ["timeout"] },
  ({ failures, jsonResponse, subscriptionOrder, subscriptionSchema, upstreamParameter, waitParameters }) => ({
    operationId: "createSubscription",
    tags: ["Subscriptions"],
    summary: "Create a subscription, which is renewed on every reconnect",
    parameters: [upstreamParameter, ...waitParameters],
    request: { body: subscriptionOrder },
    responses: {
      201: jsonResponse(
        "The upstream has agreed; the subscription is at `Location`",
        subscriptionSchema,
        "Location",
        "Preference-Applied",
      ),
      200: jsonResponse("The same subscription exists already", subscriptionSchema, "Preference-Applied"),
      ...failures(
        "not_found",
        "conflict",
        "payload_too_large",
        "unsupported_media_type",
        "too_many_in_flight",
        "connection_lost",
        "upstream_down",
        "not_ready",
        "reply_timeout",
      ),
    },
  }),
);

const listRoute = createRoute(
  { method: "get", path, query: [] },
  ({ failures, jsonResponse, subscriptionListSchema, upstreamParameter }) => ({
    operationId: "listSubscriptions",
    tags: ["Subscriptions"],
    summary: "List subscriptions",
    parameters: [upstreamParameter],
    responses: { 200: jsonResponse("All subscriptions", subscriptionListSchema), ...failures("not_found") },
  }),
);

const oneRoute = createRoute(
  { method: "get", path: `${path}/{id}`, query: [] },
  ({ failures, idParameter, jsonResponse, subscriptionSchema, upstreamParameter }) => ({
    operationId: "getSubscription",
    tags: ["Subscriptions"],
    summary: "The state of one subscription",
    parameters: [upstreamParameter, idParameter(NAME)],
    responses: { 200: jsonResponse("The state", subscriptionSchema), ...failures("not_found") },
  }),
);

const deletedRoute = createRoute(
  { method: "delete", path: `${path}/{id}`, query: ["timeout"] },
  ({ failures, headers, idParameter, upstreamParameter, waitParameters }) => ({
    operationId: "deleteSubscription",
    tags: ["Subscriptions"],
    summary: "Remove a subscription",
    parameters: [upstreamParameter, idParameter(NAME), ...waitParameters],
    responses: {
      204: {
        description: "Removed, with its messages, and ended at the upstream if it has an `unsubscribe`",
        headers: headers("Preference-Applied"),
      },
      ...failures("not_found", "conflict", "invalid_reply", "upstream_down", "reply_timeout"),
    },
  }),
);

const messagesRoute = createRoute(
  { method: "get", path: `${path}/{id}/messages`, query: MESSAGE_QUERY },
  (schemas) => ({
    operationId: "readSubscriptionMessages",
    tags: ["Subscriptions"],
    summary: "Read the messages of a subscription",
    parameters: [schemas.idParameter(NAME), ...schemas.messageParameters],
    responses: messageResponses(schemas),
  }),
);

const acknowledgeRoute = createRoute(
  { method: "post", path: `${path}/{id}/messages/acknowledge`, query: ACKNOWLEDGE_QUERY },
  (schemas) => ({
    operationId: "acknowledgeSubscriptionMessages",
    tags: ["Subscriptions"],
    summary: "Acknowledge the messages of a subscription, so that answers that wait for them are sent",
    parameters: [schemas.idParameter(NAME), ...schemas.acknowledgeParameters],
    responses: acknowledgeResponses(schemas),
  }),
);

export function subscriptionRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);

  app.openapi(createdRoute, named, async (c) => {
    const upstream = upstreamOf(c);
    const { subscriptions } = upstream;
    demandAccepting(parts.lifecycle);
    const { timeoutMs, applied } = readWaitLimit(c);
    const headers = { ...commonHeaders(c), ...(applied !== undefined && { "Preference-Applied": applied }) };
    const { name = `s-${randomUUID()}`, ...order } = await readOrder(c, parts, upstream);
    const existing = subscriptions.get(name);
    try {
      await subscribe(upstream, {
        name,
        order,
        timeoutMs,
        left: leaveSignal(c),
        stopping: parts.lifecycle.stopping,
        admit: () => parts.quotas?.subscribe(upstream, name, callerOf(c).share),
      });
    } finally {
      if (!subscriptions.get(name)) parts.quotas?.unsubscribe(upstream, name);
    }
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

  app.openapi(deletedRoute, named, async (c) => {
    const upstream = upstreamOf(c);
    const { name } = find(c, upstream);
    demandUndeclared(upstream, name);
    const { timeoutMs, applied } = readWaitLimit(c, UNSUBSCRIBE_TIMEOUT_MS);
    const headers = { ...commonHeaders(c), ...(applied !== undefined && { "Preference-Applied": applied }) };
    parts.quotas?.unsubscribe(upstream, name);
    const failure = await unsubscribed(upstream.subscriptions.remove(name), timeoutMs, parts.lifecycle.stopping);
    if (failure) throw new SidesocketError(failure);
    return c.body(null, 204, headers);
  });

  app.openapi(messagesRoute, named, (c) => journalResponse(c, parts, find(c, upstreamOf(c)).name));
  app.openapi(acknowledgeRoute, named, (c) => acknowledgeResponse(c, parts, find(c, upstreamOf(c)).name));
}

async function readOrder(c: Context<Env>, parts: AppParts, { settings }: UpstreamPort) {
  const text = (await readMessage(c, JSON_ALONE, settings.limits.request_bytes, parts)) as string;
  try {
    demandJson(text, MAX_MESSAGE_DEPTH);
  } catch (error) {
    throw refused("invalid_request", `the body is not usable JSON: ${(error as Error).message}`);
  }
  return checkedOrder(withMessagesAsText(text), "the body");
}

/** Parses an order, and keeps the text of its messages: a parsed number beyond 2^53 would be another. */
function withMessagesAsText(text: string): unknown {
  const order: unknown = JSON.parse(text);
  if (typeof order !== "object" || order === null) return order;
  const messages = ["request", "unsubscribe"].flatMap((key): [string, string][] => {
    const place = locate(text, checkedJson(text).root, [key]);
    if (place.type === "duplicate") throw refused("invalid_request", `${key} occurs twice`);
    if (place.type !== "found" || text[place.value.start] === '"') return [];
    return [[key, flat(compact(text.slice(place.value.start, place.value.end)))]];
  });
  return Array.isArray(order) ? order : { ...order, ...Object.fromEntries(messages) };
}

/** Removes the space between the tokens of a JSON text. */
function compact(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
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

function stateOf(upstream: UpstreamPort, info: SubscriptionInfo): JsonOf<"subscriptionSchema"> {
  const { name, phase, since, activations, lastFailure } = info;
  return {
    id: name,
    phase,
    since: since.toISOString(),
    activations,
    last_error: lastFailure?.detail ?? null,
    messages: `${pathOf(upstream)}/subscriptions/${name}/messages`,
  };
}
