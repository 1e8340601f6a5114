/** The command `sidesocket doctor`: what would fail if the service started now, and the cure. */

import type { DoctorCommand } from "../config/commandline.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { startLog } from "../logs/log.ts";
import { lackingPermissions } from "../permissions/demand-permissions.ts";
import { needsOf } from "../permissions/permissions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { loadForProcess } from "../service/process-config.ts";
import { isJoined } from "../sidecar/exit-report.ts";
import { checkLogins } from "./doctor-login.ts";
import { checkDescriptors, checkPorts, checkProxies, checkSecretFiles, variables } from "./doctor-machine.ts";
import { checkWay } from "./doctor-network.ts";
import type { Way } from "./doctor-way.ts";
import { type CommandEnd, UNREAD } from "./failed.ts";
import { type Finding, fail, isOver, ok, textOf, warn } from "./findings.ts";
import { LineOutput } from "./line-output.ts";

const SOMETHING_FAILS = 1;
const NOT_JOINED = 70;
/** The time that a receiver of webhooks has to accept a connection, in milliseconds. */
const RECEIVER_WITHIN_MS = 5_000;

export async function doctor({ flags }: DoctorCommand, runtime: Runtime): Promise<CommandEnd> {
  const output = new LineOutput(runtime);
  let isHealthy = true;
  const print = async (findings: readonly Finding[]): Promise<void> => {
    if (isOver(findings)) isHealthy = false;
    for (const finding of findings) await output.line(textOf(finding));
  };
  try {
    await print([ok(`runtime: ${runtime.name} ${runtime.version}`)]);
    const config = await loadForProcess(flags).catch(problemsOf);
    await print([checkProxies(variables, "upstreams" in config ? config.upstreams : new Map())]);
    if (!("upstreams" in config)) {
      await print(config);
      return { exitCode: SOMETHING_FAILS, joined: true };
    }
    // Its findings say it all; a record of the log would say it again.
    startLog({ ...config.log, level: "fatal" });
    const warnings = config.warnings.map((warning) => warn(warning));
    await print([ok(`configuration: ${described(config)}`), ...warnings]);
    const lacking = await lackingPermissions(needsOf(config), config.sources.variables);
    if (lacking !== undefined) {
      await print([fail(`permissions: ${lacking}`)]);
      return { exitCode: SOMETHING_FAILS, joined: true };
    }
    await print([checkDescriptors(config, runtime.descriptorsMax()), ...(await checkPorts(config))]);
    await print(await checkSecretFiles(config));
    const joined = await checkUpstreams(config, runtime, print);
    return { exitCode: joined ? (isHealthy ? 0 : SOMETHING_FAILS) : NOT_JOINED, joined };
  } catch (error) {
    if (error instanceof ConfigError || !output.isUnread) throw error;
    return { exitCode: UNREAD, joined: true };
  }
}

/** Checks the way to each upstream, then connects to those that can be reached. @returns false if a thread stays */
async function checkUpstreams(
  config: LoadedConfig,
  runtime: Runtime,
  print: (findings: readonly Finding[]) => Promise<void>,
): Promise<boolean> {
  const reachable = new Map<string, UpstreamSettings>();
  const ways = await Promise.all(
    [...config.upstreams].map(async ([name, settings]) => {
      const findings = await checkWay(runtime.network, wayOf(name, settings));
      if (!isOver(findings) && !settings.template) reachable.set(name, settings);
      const unopened = settings.template ? [ok(`upstream ${name}: only its instances connect`)] : [];
      return [...findings, ...unopened, ...(await checkReceivers(name, settings, runtime))];
    }),
  );
  await print(ways.flat());
  const { findings, report } = await checkLogins(reachable, config, runtime);
  await print(findings);
  return report === undefined || isJoined(report);
}

function wayOf(name: string, { url, proxy, ca, tls, connect_within, addresses }: UpstreamSettings): Way {
  return { name: `upstream ${name}`, url, proxy, ca: tls.ca ?? ca, tls, withinMs: connect_within, pauses: addresses };
}

async function checkReceivers(name: string, { webhooks, addresses }: UpstreamSettings, { network }: Runtime) {
  const ways = webhooks.map(({ url, proxy }, index): Way => {
    const about = `upstream ${name}, webhook ${index + 1}`;
    return { name: about, url, proxy, withinMs: RECEIVER_WITHIN_MS, pauses: addresses };
  });
  return (await Promise.all(ways.map((way) => checkWay(network, way)))).flat();
}

function described({ demo, upstreams, sources }: LoadedConfig): string {
  const from = sources.files.length === 0 ? "no file" : [...new Set(sources.files)].join(", ");
  return demo ? `no upstream, so the service starts a demo (${from})` : `${[...upstreams.keys()].join(", ")} (${from})`;
}

function problemsOf(error: unknown): readonly Finding[] {
  if (!(error instanceof ConfigError)) throw error;
  return error.problems.map((problem) => fail(`configuration: ${problem}`));
}
