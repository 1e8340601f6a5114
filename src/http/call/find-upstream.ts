/** Upstreams by the names that paths give them. */

import type { Context } from "hono";
import { refused } from "../../errors.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
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

/** Sets `c.var.upstream` to the upstream that the path names, `default` where it names none; refuses an unknown one. */
export function withUpstream(upstreams: Upstreams): RouteStep {
  return (c) => c.set("upstream", findUpstream(upstreams, c.req.param("upstream") ?? "default"));
}

/** The upstream of a route that is registered with {@link withUpstream}. */
export function upstreamOf(c: Context<Env>): UpstreamPort {
  // Not `c.var`, which builds an object on every read.
  const upstream = c.get("upstream");
  if (!upstream) throw new RangeError(`${c.req.path} is registered without withUpstream`);
  return upstream;
}
