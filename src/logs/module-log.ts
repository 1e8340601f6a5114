/** The log of what users' modules print and throw, marked with the module: nothing of it goes anywhere else. */

import type { UpstreamSettings } from "../config/schema.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { ThreadReport } from "../sidecar/reports.ts";
import { log } from "./log.ts";

export function logModules(upstreams: Iterable<UpstreamClient>): void {
  for (const client of upstreams) client.onReport((report) => logReport(client.name, client.settings, report));
}

function logReport(
  upstream: string,
  { protocol, credentials }: Pick<UpstreamSettings, "protocol" | "credentials">,
  { event, text }: ThreadReport,
): void {
  const path = typeof protocol === "string" ? protocol : protocol.preset;
  const modules = [path, credentials].filter((each) => each?.startsWith("file:"));
  const facts = { upstream, module: modules.join(" "), [event]: text };
  if (event === "printed") log.info(`upstream ${upstream}: its module printed`, facts);
  else if (event === "threw") log.error(`upstream ${upstream}: its module threw`, facts);
  else if (event === "clustered") log.info(`upstream ${upstream}: ${text}`, { upstream });
  else if (event === "cluster_fault") log.warn(`upstream ${upstream}: ${text}`, { upstream });
  else log.error("the sidecar's thread dies", facts);
}
