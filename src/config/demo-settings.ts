/** The settings of the demo, which is the upstream where none is configured. */

import type { UpstreamSettings } from "./schema.ts";
import { upstreamSchema } from "./upstream-settings.ts";

export function demoUpstreams({ url }: { readonly url: string }): ReadonlyMap<string, UpstreamSettings> {
  return new Map([["default", upstreamSchema.parse({ url })]]);
}
