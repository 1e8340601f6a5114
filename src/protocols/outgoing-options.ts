/** The options of presets that only go out, as they are: in a greeting, or in what `add` puts into messages. */

import type { Dialect } from "./dialect.ts";
import { DIALECTS } from "./dialects.ts";
import { GRAPHQL_TRANSPORT_WS } from "./graphql-transport-ws.ts";

const BY_PRESET: ReadonlyMap<string, readonly string[]> = new Map([
  ["home-assistant", ["token"]],
  ["obs", ["password"]],
  [GRAPHQL_TRANSPORT_WS, ["payload"]],
  ...Object.entries<Pick<Dialect, "outgoing">>(DIALECTS).map(
    ([name, { outgoing = {} }]) => [name, Object.keys(outgoing)] as const,
  ),
]);

/**
 * The names of these options. Placeholders in them are resolved for each connection, other values come into force by
 * another connection, and all of them count as secrets.
 */
export function outgoingOptions(protocol: unknown): readonly string[] {
  if (typeof protocol !== "object" || protocol === null || !("preset" in protocol)) return [];
  return BY_PRESET.get(String(protocol.preset)) ?? [];
}
