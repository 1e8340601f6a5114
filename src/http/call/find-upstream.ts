/** Upstreams by the names that paths give them. */

import type { Context } from "hono";
import { refused } from "../../errors.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import type { RouteStep } from "../routing.ts";

type Upstreams = AppParts["upstreams"];

/** With a single upstream, `default` names it too. */
export function findUpstream(upstreams: Upstreams, name: string): UpstreamPort {
  const found = upstreams.get(name);
  if (found) return found;
  const [only] = upstreams.values();
  if (only && name === "default" && upstreams.size === 1) return only;
  const configured = [...upstreams.keys()].join(", ");
  throw refused("not_found", `unknown upstream ${JSON.stringify(name.slice(0, 64))} (configured: ${configured})`);
}

/**
 * Notes in the record the upstream or instance that the path names, `default` where it names none; refuses an
 * unknown one.
 * @param opens false for routes that need no connection: they are for templates of instances, too
 */
export function withUpstream(
  { upstreams, instances }: Pick<AppParts, "upstreams" | "instances">,
  opens = true,
): RouteStep {
  return (c) => {
    const upstream = findUpstream(upstreams, c.req.param("upstream") ?? "default");
    const id = c.req.param("instance");
    const record = c.get("record");
    if (id !== undefined && instances) record.upstream = instances.find(upstream.name, id, callerOf(c));
    else if (opens && upstream.settings.template) throw unopened(upstream.name);
    else record.upstream = upstream;
  };
}

function unopened(name: string) {
  const cure = `POST /v1/upstreams/${name}/instances opens one for you`;
  return refused("not_found", `upstream "${name}" has no connection of its own: ${cure}`);
}

/** The upstream of a route that is registered with {@link withUpstream}. */
export function upstreamOf(c: Context<Env>): UpstreamPort {
  // Not `c.var`, which builds an object on every read.
  const { upstream } = c.get("record");
  if (!upstream) throw new RangeError(`${c.req.path} is registered without withUpstream`);
  return upstream;
}
