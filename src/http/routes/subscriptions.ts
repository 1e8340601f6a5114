import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import type { z } from "zod";
import { subscriptionOrderJson } from "../../config/json-schema.ts";
import { check, dotted } from "../../config/problems.ts";
import { type SubscriptionSettings, subscriptionOrderSchema } from "../../config/schema.ts";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import { type Failure, refused, type Sent, SidesocketError } from "../../errors.ts";
import { check as demandJson } from "../../protocols/json-check.ts";
import { MAX_MESSAGE_DEPTH } from "../../protocols/json-message.ts";
import type { SubscriptionInfo } from "../../sidecar/host/subscriptions.ts";
import { readMessage } from "../call/body.ts";
import { findUpstream } from "../call/call.ts";
import { leaveSignal } from "../call/caller-left.ts";
import { readWaitLimit } from "../call/timeout.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { type App, createRoute, json, type Schemas } from "../routing.ts";
import { messages } from "./messages.ts";

/** Standing subscriptions: declared once, renewed on every connect, each with messages of its own. */

const nameParameter = { name: "id", in: "path", required: true, schema: { type: "string" } };
const path = "/v1/upstreams/{upstream}/subscriptions";

const createdRoute = createRoute(
  { method: "post", path },
  ({ failures, subscriptionSchema, upstreamParameter, waitParameters }) => ({
    summary: "Subscribe, and stay subscribed",
    parameters: [upstreamParameter, ...waitParameters] as never,
    request: {
      body: { required: true, content: { "application/json": { schema: subscriptionOrderJson() } } } as never,
    },
    responses: {
      201: json("The upstream has agreed; `Location` is the subscription", subscriptionSchema),
      200: json("The same is there already", subscriptionSchema),
      ...failures,
    },
  }),
);

const listRoute = createRoute({ method: "get", path }, ({ failures, subscriptionListSchema, upstreamParameter }) => ({
  summary: "The standing subscriptions",
  parameters: [upstreamParameter] as never,
  responses: { 200: json("All of them", subscriptionListSchema), ...failures },
}));

const oneRoute = createRoute(
  { method: "get", path: `${path}/{id}` },
  ({ failures, subscriptionSchema, upstreamParameter }) => ({
    summary: "One standing subscription",
    parameters: [upstreamParameter, nameParameter] as never,
    responses: { 200: json("How it is", subscriptionSchema), ...failures },
  }),
);

const deletedRoute = createRoute({ method: "delete", path: `${path}/{id}` }, ({ failures, upstreamParameter }) => ({
  summary: "Take a subscription back",
  parameters: [upstreamParameter, nameParameter] as never,
  responses: { 204: { description: "It is gone, with its messages" }, ...failures },
}));

const messagesRoute = createRoute(
  { method: "get", path: `${path}/{id}/messages` },
  ({ failures, messageParameters }) => ({
    summary: "Read the messages of a subscription",
    parameters: [nameParameter, ...messageParameters] as never,
    responses: { 200: { description: "As for the messages of the upstream" }, ...failures },
  }),
);

export function subscriptionRoutes(app: App, parts: AppParts): void {
  const upstreamOf = (c: Context<Env>) => findUpstream(parts.upstreams, c.req.param("upstream") ?? "");

  app.openapi(createdRoute, (async (c: Context<Env>) => {
    const upstream = upstreamOf(c);
    const { subscriptions, settings } = upstream;
    if (!parts.lifecycle.accepting) throw refused("shutting_down", "the service is shutting down");
    const { timeoutMs, applied } = readWaitLimit(c);
    const headers = { ...commonHeaders(c), ...(applied !== undefined && { "Preference-Applied": applied }) };
    const { name = `s-${randomUUID()}`, ...order } = await readOrder(c, parts, upstream);
    const there = subscriptions.get(name);
    if (there && JSON.stringify(there.settings) !== JSON.stringify(order)) {
      throw refused("conflict", `there is another subscription ${JSON.stringify(name)} already: take it back first`);
    }
    if (there && !subscriptions.watched(name)) return c.json(shown(upstream, there), 200, headers);
    if (!there && subscriptions.size >= settings.limits.subscriptions) {
      const detail = `there are ${subscriptions.size} subscriptions already (limits.subscriptions)`;
      throw refused("too_many_in_flight", detail, RETRY_SOON_MS);
    }
    await agreed(c, parts, upstream, { name, order, timeoutMs });
    const made = subscriptions.get(name);
    if (!made) throw refused("not_found", "the subscription was taken back meanwhile");
    const body = shown(upstream, made);
    if (there) return c.json(body, 200, headers);
    return c.json(body, 201, { ...headers, Location: body.messages.replace(/\/messages$/, "") });
  }) as never);

  app.openapi(listRoute, ((c: Context<Env>) => {
    const upstream = upstreamOf(c);
    const subscriptions = upstream.subscriptions.list().map((standing) => shown(upstream, standing));
    return c.json({ subscriptions }, 200, commonHeaders(c));
  }) as never);

  app.openapi(oneRoute, ((c: Context<Env>) => {
    const upstream = upstreamOf(c);
    return c.json(shown(upstream, find(c, upstream)), 200, commonHeaders(c));
  }) as never);

  app.openapi(deletedRoute, ((c: Context<Env>) => {
    const upstream = upstreamOf(c);
    if (!upstream.subscriptions.remove(find(c, upstream).name)) throw unknown(c);
    return c.body(null, 204, commonHeaders(c));
  }) as never);

  app.openapi(messagesRoute, ((c: Context<Env>) => {
    const upstream = upstreamOf(c);
    return messages(c, parts, upstream, find(c, upstream).name);
  }) as never);
}

async function readOrder(c: Context<Env>, { lifecycle }: AppParts, { settings }: UpstreamPort) {
  const text = (await readMessage(c, "json", settings.limits.request_bytes, lifecycle)) as string;
  try {
    demandJson(text, MAX_MESSAGE_DEPTH);
  } catch (error) {
    throw refused("invalid_request", `the body is not usable JSON: ${(error as Error).message}`);
  }
  const checked = check(subscriptionOrderSchema, JSON.parse(text));
  if ("value" in checked) return checked.value;
  const all = checked.problems.map(({ path, what }) => `${dotted(path) || "the body"} ${what}`);
  throw refused("invalid_request", all.join("; "));
}

/**
 * All or nothing: resolves when the upstream has agreed, and otherwise takes the subscription back and rejects. So when
 * its caller leaves; but not while somebody else, who has ordered the same, waits for it.
 */
function agreed(
  c: Context<Env>,
  { lifecycle: { stopping } }: AppParts,
  { subscriptions, state: { phase: link } }: UpstreamPort,
  {
    name,
    order,
    timeoutMs,
  }: { readonly name: string; readonly order: SubscriptionSettings; readonly timeoutMs: number },
): Promise<void> {
  const left = leaveSignal(c);
  return new Promise((resolve, reject) => {
    const there = subscriptions.get(name);
    let phase = there?.phase ?? "waiting";
    // Over a connection that is there it is asked at once: before we hear of that, too. Another's may have been asked before.
    let sent: Sent = link === "ready" || there ? "maybe" : "no";
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
      if (state === undefined) return fail({ code: "conflict", sent, detail: "it was taken back meanwhile" });
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
    if (!there) subscriptions.add(name, order);
    if (left.aborted) leave();
  });
}

function find(c: Context<Env>, { subscriptions }: UpstreamPort): SubscriptionInfo {
  const found = subscriptions.get(c.req.param("id") ?? "");
  if (!found) throw unknown(c);
  return found;
}

function unknown(c: Context<Env>): SidesocketError {
  return refused("not_found", `there is no subscription ${JSON.stringify(c.req.param("id")?.slice(0, 64))}`);
}

function shown({ name: upstream }: UpstreamPort, standing: SubscriptionInfo): z.infer<Schemas["subscriptionSchema"]> {
  const { name, phase, since, activations, lastFailure } = standing;
  return {
    id: name,
    phase,
    since: since.toISOString(),
    activations,
    last_error: lastFailure?.detail ?? null,
    messages: `/v1/upstreams/${upstream}/subscriptions/${name}/messages`,
  };
}
