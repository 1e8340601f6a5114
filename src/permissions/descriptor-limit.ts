/** The number of connections of callers that the limit of descriptors allows. */

import type { LoadedConfig } from "../config/load.ts";

/** Descriptors for everything but callers: files, threads, and for each upstream two sockets and its webhooks. */
const OTHER_DESCRIPTORS = 128;
const UPSTREAM_DESCRIPTORS = 4;

/** The connections that there are descriptors for: at most as many as configured. */
export function withinDescriptors(
  { listen, upstreams }: Pick<LoadedConfig, "listen" | "upstreams">,
  max = Number.POSITIVE_INFINITY,
): number {
  const others = Math.min(max / 2, OTHER_DESCRIPTORS + UPSTREAM_DESCRIPTORS * upstreams.size);
  return Math.min(listen.connections, Math.max(1, Math.floor(max - others)));
}
