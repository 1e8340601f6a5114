/** The one upstream that a command works with, of those that are configured. */

import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { meant } from "../config/suggestions.ts";

/**
 * Picks the upstream by its name or, without one, that named `default`, or the only one.
 * @returns that upstream by its name; an empty map for the demo
 * @throws ConfigError if there is none of that name, or if there are several and none is named `default`
 */
export function oneUpstream(
  { upstreams }: Pick<LoadedConfig, "upstreams">,
  name: string | undefined,
): ReadonlyMap<string, UpstreamSettings> {
  const names = [...upstreams.keys()];
  const chosen = name ?? "default";
  const settings = upstreams.get(chosen);
  // The only one has the name `default`, too, as in the API; so has the demo.
  const isOnly = upstreams.size <= 1 && chosen === "default";
  const found = settings ? new Map([[chosen, settings]]) : isOnly ? upstreams : undefined;
  for (const [each, { template }] of found ?? [])
    if (template) throw new ConfigError(`upstream ${each} has no connection of its own, only instances: use the API`);
  if (found) return found;
  if (name !== undefined)
    throw new ConfigError(`--to: unknown upstream (${meant(name, names.length === 0 ? ["default"] : names)})`);
  throw new ConfigError(`several upstreams, and none is named default: choose by --to (${names.join(", ")})`);
}
