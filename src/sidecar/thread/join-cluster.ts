/** The way of a thread into its cluster: loaded, with all that it needs, for the first upstream that replicas share. */

import type { UpstreamSettings } from "../../config/schema.ts";
import type { ThreadCluster } from "../contract.ts";
import { type MemberEnvironment, startMember } from "./member.ts";
import { type SharedEnvironment, SharedUpstream } from "./shared-upstream.ts";

/** The thread's part in its cluster. */
export interface Joined {
  share(name: string, settings: UpstreamSettings, env: SharedEnvironment): SharedUpstream;
  /** Leaves the cluster once what is on its way has been sent. */
  end(withinMs: number): Promise<void>;
}

/**
 * @param host the name of the process among the others; undefined if they ask it for nothing
 * @throws Error for a file that cannot be read
 */
export async function joinCluster(
  cluster: ThreadCluster,
  host: string | undefined,
  env: MemberEnvironment,
): Promise<Joined> {
  const member = await startMember(cluster, host, env);
  const { lease } = cluster.settings;
  const { keep } = cluster.replies;
  return {
    share: (name, settings, own) => new SharedUpstream(name, settings, lease, keep, member, own),
    end: (withinMs) => member.end(withinMs),
  };
}
