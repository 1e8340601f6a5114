/** The settings of an engine, as the configuration of a service gives them. */

import { readFileSync } from "node:fs";
import type { ClusterSettings, ReplySettings } from "../config/schema.ts";
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
    keepMs: replies.keep,
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
