/** The command `sidesocket cluster-setup`: makes what a cluster keeps in NATS, and prints the rights of a replica. */

import { type EngineSettings, logLimits } from "../cluster/engine.ts";
import { engineSettings } from "../cluster/engine-settings.ts";
import { type MemberRights, memberRights } from "../cluster/nats-streams.ts";
import type { ClusterSetupCommand } from "../config/commandline.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { errorLines } from "../logs/log.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import { natsAddress } from "../permissions/permissions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { loadForProcess } from "../service/process-config.ts";
import { type CommandEnd, UNREAD } from "./failed.ts";
import { LineOutput } from "./line-output.ts";

const NOT_SET_UP = 1;
/** Elections of NATS take up to 9 s. */
const WITHIN_MS = 15_000;

/** Makes buckets and logs unless they are there, or with `--rights` nothing, and prints the rights. */
export async function clusterSetup(command: ClusterSetupCommand, runtime: Runtime): Promise<CommandEnd> {
  const config = await loadForProcess(command.flags);
  const settings = settingsOf(config);
  const shared = [...config.upstreams].filter(([, { owner, template }]) => owner !== "each" && !template);
  if (!command.options.rights && !(await isMade(settings, shared))) {
    return { exitCode: NOT_SET_UP, joined: true };
  }
  const rights = memberRights(
    settings,
    shared.map(([name]) => name),
  );
  try {
    await new LineOutput(runtime).line(authorization(settings.cluster, rights));
  } catch {
    return { exitCode: UNREAD, joined: true };
  }
  return { exitCode: 0, joined: true };
}

/** @throws ConfigError if the replica is in no cluster */
function settingsOf({ cluster, replies }: LoadedConfig): EngineSettings {
  if (!cluster) throw new ConfigError("there is no cluster: give --cluster URL, or cluster: in the file");
  // It sends no messages.
  return engineSettings(cluster, replies, { member: "setup", messageBytes: 0 });
}

/** @returns false after it has said why not */
async function isMade(
  settings: EngineSettings,
  upstreams: readonly (readonly [string, UpstreamSettings])[],
): Promise<boolean> {
  const { natsEngine } = await import("../cluster/nats.ts");
  await demandNeeds({ net: settings.servers.map(natsAddress), read: [], write: [] }, []);
  const engine = natsEngine(settings);
  const fault = ({ message }: Error) => errorLines.push(`${message}\n`);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void engine.end(0);
  }, WITHIN_MS);
  try {
    // Makes the buckets.
    await engine.connect({ contact: () => {}, fault });
    await Promise.all(upstreams.map(([name, { messages }]) => engine.openLog(name, logLimits(messages), WITHIN_MS)));
    return true;
  } catch (error) {
    fault(
      isLate
        ? new Error(`no server of the cluster was reached within ${WITHIN_MS / 1_000} s, or none that answered`)
        : (error as Error),
    );
    return false;
  } finally {
    clearTimeout(timer);
    await engine.end(0);
  }
}

/** A block for the configuration of nats-server, or for an account's user. */
function authorization(cluster: string, { publish, subscribe }: MemberRights): string {
  const list = (subjects: readonly string[]) => subjects.map((subject) => `          ${JSON.stringify(subject)}`);
  return [
    `# The least rights of a replica of the cluster ${cluster}.`,
    "authorization {",
    "  users: [",
    "    {",
    "      user: sidesocket",
    "      password: $SIDESOCKET_NATS_PASSWORD",
    "      permissions: {",
    "        publish: [",
    ...list(publish),
    "        ]",
    "        subscribe: [",
    ...list(subscribe),
    "        ]",
    "      }",
    "    }",
    "  ]",
    "}",
  ].join("\n");
}
