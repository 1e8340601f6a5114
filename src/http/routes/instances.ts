/** Routes of instances, connections for one caller each; below an instance are the routes of an upstream. */

import type { Context } from "hono";
import * as z from "zod";
import { check, dotted } from "../../config/problems.ts";
import { duration } from "../../config/units.ts";
import { refused } from "../../errors.ts";
import { JSON_ALONE, readMessage } from "../call/body.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, InstanceFacts, InstancesPort, OpenInstance, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { header } from "../request-header.ts";
import { createRoute, type JsonOf, type RoutedApp } from "../routing.ts";
import { pathOf } from "../upstream-path.ts";

const path = "/v1/upstreams/{upstream}/instances";

const BODY_BYTES = 65_536;

const openedRoute = createRoute(
  { method: "post", path, query: [] },
  ({ failures, instanceOrderSchema, instanceSchema, jsonResponse, upstreamParameter }) => ({
    operationId: "openInstance",
    tags: ["Instances"],
    summary: "Open a connection of your own by the settings of an upstream",
    parameters: [upstreamParameter],
    request: { body: { required: false, content: { "application/json": { schema: instanceOrderSchema } } } },
    responses: {
      201: jsonResponse(
        "It connects; below `Location` it has the routes of an upstream, whose requests wait for the connection",
        instanceSchema,
        "Location",
      ),
      ...failures("not_found", "payload_too_large", "unsupported_media_type", "too_many_in_flight", "shutting_down"),
    },
  }),
);

const listRoute = createRoute(
  { method: "get", path, query: [] },
  ({ failures, instanceListSchema, jsonResponse, upstreamParameter }) => ({
    operationId: "listInstances",
    tags: ["Instances"],
    summary: "List your instances",
    parameters: [upstreamParameter],
    responses: { 200: jsonResponse("Those that are open", instanceListSchema), ...failures("not_found") },
  }),
);

const deletedRoute = createRoute(
  { method: "delete", path: `${path}/{instance}`, query: [] },
  ({ failures, headers, instanceParameter, upstreamParameter }) => ({
    operationId: "deleteInstance",
    tags: ["Instances"],
    summary: "End an instance: what it has not replied to is cancelled, and its connection closed",
    parameters: [upstreamParameter, instanceParameter],
    responses: {
      204: { description: "It has run its exit steps", headers: headers() },
      ...failures("not_found", "gone", "shutting_down"),
    },
  }),
);

const orderSchema = z.strictObject({
  params: z.record(z.string(), z.string("must be a string")).prefault({}),
  idle: duration.optional(),
});

export function instanceRoutes(app: RoutedApp, parts: AppParts): void {
  const { instances } = parts;
  if (!instances) return;
  const named = withUpstream(parts, false);

  app.openapi(openedRoute, named, async (c) => {
    const upstream = upstreamOf(c);
    demandAccepting(parts.lifecycle);
    const order = await readOrder(c, parts, upstream);
    const instance = await openShared(c, parts, instances, upstream.name, order);
    const body = instanceJson(instance, instance.instance);
    return c.json<JsonOf<"instanceSchema">>(body, 201, { ...commonHeaders(c), Location: body.path });
  });

  app.openapi(listRoute, named, (c) => {
    const all = instances.list(upstreamOf(c).name, callerOf(c)).map((each) => instanceJson(each, each.instance));
    return c.json<JsonOf<"instanceListSchema">>({ instances: all }, 200, commonHeaders(c));
  });

  app.openapi(deletedRoute, named, async (c) => {
    demandAccepting(parts.lifecycle);
    await instances.end(upstreamOf(c) as OpenInstance);
    return c.body(null, 204, commonHeaders(c));
  });
}

/** Opens an instance within the caller's share, which it gives back with all of its subscriptions at its end. */
async function openShared(
  c: Context<Env>,
  parts: AppParts,
  instances: InstancesPort,
  upstream: string,
  order: Parameters<InstancesPort["open"]>[1],
): Promise<OpenInstance> {
  const caller = callerOf(c);
  const leave = parts.quotas?.instance(upstream, caller.share);
  let opened: OpenInstance | undefined;
  const onEnd = () => {
    leave?.();
    if (opened) parts.quotas?.ended(opened);
  };
  try {
    opened = await instances.open(upstream, order, caller, onEnd);
    return opened;
  } catch (error) {
    leave?.();
    throw error;
  }
}

async function readOrder(c: Context<Env>, parts: AppParts, { settings }: UpstreamPort) {
  const limits = settings.instances;
  const text = hasBody(c) ? ((await readMessage(c, JSON_ALONE, BODY_BYTES, parts)) as string) : "{}";
  const checked = check(orderSchema, parsed(text));
  if (!("value" in checked)) {
    const all = checked.problems.map(({ path, what }) => `${dotted(path) || "the body"} ${what}`);
    throw refused("invalid_request", all.join("; "));
  }
  const { params, idle } = checked.value;
  if (limits && idle !== undefined && idle > limits.idle)
    throw refused("invalid_request", `idle must be at most ${limits.idle / 1_000}s (instances.idle)`);
  const name = limits?.credential;
  return { params, idleMs: idle, credential: name === undefined ? undefined : header(c, name.toLowerCase()) };
}

/** False for a request that has no body, as of `curl -X POST`. */
function hasBody(c: Context<Env>): boolean {
  const length = header(c, "content-length");
  return length === undefined ? header(c, "transfer-encoding") !== undefined : Number(length) !== 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused("invalid_request", 'the body is not JSON: send { "params": {} }');
  }
}

/** An instance as its owner sees it. */
export function instanceJson(upstream: UpstreamPort, facts: InstanceFacts): JsonOf<"instanceSchema"> {
  return {
    id: facts.id,
    path: pathOf(upstream),
    phase: upstream.state.phase,
    opened_at: facts.openedAt.toISOString(),
    idle_ms: facts.idleMs,
    ends_at: facts.endsAt.toISOString(),
  };
}
