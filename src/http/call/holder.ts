/** The address at which the other replicas of a cluster ask for what this one holds. */

import type { AppParts, UpstreamPort } from "../ports.ts";

export type HolderPort = NonNullable<UpstreamPort["held"]>;

/** The address for a reply of this upstream, which may itself be this replica's alone. */
export function holderFor(upstreams: AppParts["upstreams"], { held }: UpstreamPort): string | undefined {
  if (held) return held.address;
  const way = wayToOthers(upstreams);
  return way === "down" ? undefined : way?.address;
}

/** An upstream that replicas share leads to the others. `down`: none of them is usable; undefined: there is none. */
export function wayToOthers(upstreams: AppParts["upstreams"]): HolderPort | "down" | undefined {
  let way: "down" | undefined;
  for (const { held, down } of upstreams.values()) {
    if (held && !down) return held;
    if (held) way = "down";
  }
  return way;
}
