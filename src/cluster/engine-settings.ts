/** The settings of an engine, as the configuration of a service gives them. */

import { readFileSync } from "node:fs";
import type { ClusterSettings, ReplySettings } from "../config/schema.ts";
import { MAX_TIMEOUT_MS } from "../core/outcome.ts";
import type { EngineSettings } from "./engine.ts";

/** The files are read at each connection: they may be renewed. */
export function engineSettings(
  { servers, name: cluster, replicas, credentials_file: credentials, ca_file: ca }: ClusterSettings,
  replies: ReplySettings,
  own: Pick<EngineSettings, "member" | "messageBytes">,
): EngineSettings {
  const common = {
    ...own,
    servers,
    cluster,
    replicas,
    // The claim may be all that is ever written of a request, and its key lives for `keep` after the request's end.
    claimsMs: replies.keep + MAX_TIMEOUT_MS,
    claimsMax: replies.count,
    keptMs: replies.keep,
    keptBytes: replies.bytes,
    ...(credentials !== undefined && { credentials: () => readFileSync(credentials, "utf8") }),
  };
  if (ca === undefined) return common;
  return {
    ...common,
    get ca() {
      return readFileSync(ca, "utf8");
    },
  };
}
