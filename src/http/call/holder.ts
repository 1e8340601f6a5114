/** The address at which the other replicas of a cluster ask for what this one holds. */

import type { AppParts, UpstreamPort } from "../ports.ts";

export type HolderPort = NonNullable<UpstreamPort["held"]>;

/** The address for a reply of this upstream, which may itself be this replica's alone. */
export function holderFor(upstreams: AppParts["upstreams"], { held }: UpstreamPort): string | undefined {
  return (held ?? anyHeld(upstreams))?.address;
}

/** The way to other replicas by an upstream that they share. */
function anyHeld(upstreams: AppParts["upstreams"]): HolderPort | undefined {
  for (const { held, down } of upstreams.values()) if (held && !down) return held;
  return undefined;
}
