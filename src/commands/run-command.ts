/** The command `sidesocket run`: a script that blocks on upstreams, beside a main thread that answers signals. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { RunCommand } from "../config/commandline.ts";
import { demoUpstreams } from "../config/demo-settings.ts";
import { ConfigError } from "../config/problems.ts";
import { memoryOf } from "../core/util/budget.ts";
import { deferred } from "../core/util/deferred.ts";
import { errorLines, log } from "../logs/log.ts";
import { logModules } from "../logs/module-log.ts";
import { demandPermissions } from "../permissions/demand-permissions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { loadForProcess, startLogOf } from "../service/process-config.ts";
import { endOnSignals } from "../service/signals.ts";
import { isJoined } from "../sidecar/exit-report.ts";
import { noHttpSide, Sidecars } from "../sidecar/host/sidecars.ts";
import { type Line, SCRIPT_LINES } from "../sidecar/line.ts";
import { type CommandEnd, USELESS } from "./failed.ts";

/** The time that a script has to end by itself once its calls are refused, in milliseconds. */
const SCRIPT_GRACE_MS = 2_000;
/** The exit code of a script with an uncaught error, and of one that had to be cut. */
const FAILED = 1;

/** Runs the script, then the exit protocol; on a signal the other way round. The exit code is the script's. */
export async function run({ flags, script, args }: RunCommand, runtime: Runtime): Promise<CommandEnd> {
  const config = await loadForProcess(flags);
  startLogOf(config);
  const { sources } = config;
  await demandPermissions({ upstreams: config.upstreams, sources: { ...sources, files: [...sources.files, script] } });
  const demo = config.demo ? await (await import("../demo/demo-upstream.ts")).startDemo() : undefined;
  const upstreams = demo ? demoUpstreams(demo) : config.upstreams;
  for (const [name, { webhooks, instances }] of upstreams) {
    if (instances) throw new ConfigError(`upstreams.${name}.instances: only the service has them`);
    if (webhooks.length === 0) continue;
    throw new ConfigError(
      `upstreams.${name}.webhooks: only the service pushes messages: read them with messagesSync()`,
    );
  }
  const memory = memoryOf(config.limits, runtime.memoryLimit);
  const sidecars = new Sidecars(upstreams, config.shutdown, runtime.startThread, noHttpSide, memory);
  logModules(sidecars.upstreams.values());
  const signalled = deferred<void>();
  const giveSignalsBack = endOnSignals(runtime.endingSignals, (options) => {
    signalled.resolve();
    return sidecars.exit(options);
  });
  let exitCode = await sidecars.opened().then(
    () => runToItsEnd(script, args, sidecars, signalled.promise),
    (error: unknown) => refusedStart(error, sidecars),
  );
  const report = await sidecars.exit({ cause: "run" });
  await demo?.stop();
  giveSignalsBack();
  log.debug("exit", { report });
  const joined = isJoined(report);
  if (!joined || exitCode === 0) exitCode = report.exit_code;
  return { exitCode, joined };
}

/** An upstream that cannot be opened is a mistake in the configuration, unless the exit has begun. */
function refusedStart(error: unknown, sidecars: Sidecars): number {
  if (sidecars.exiting) return 0;
  errorLines.push(`sidesocket: ${(error as Error).message}\n`);
  return USELESS;
}

/** @returns the exit code of the script */
async function runToItsEnd(
  script: string,
  args: readonly string[],
  sidecars: Sidecars,
  signalled: Promise<void>,
): Promise<number> {
  const lines = [...sidecars.upstreams].map(([name, client]): [string, Line] => [name, client.lines.create()]);
  const worker = new Worker(pathToFileURL(resolve(script)), {
    name: "sidesocket-script",
    argv: [...args],
    workerData: { [SCRIPT_LINES]: new Map(lines) },
    transferList: lines.map(([, line]) => line.supply),
  });
  const ended = deferred<number>();
  worker.once("error", (error) => {
    errorLines.push(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    ended.resolve(FAILED);
  });
  worker.once("exit", ended.resolve);
  const cut = signalled.then(async () => {
    await sidecars.exit({ cause: "signal" });
    const late = setTimeout(() => ended.resolve(FAILED), SCRIPT_GRACE_MS);
    await ended.promise;
    clearTimeout(late);
  });
  const code = await ended.promise;
  if (sidecars.exiting) await cut;
  // Also one that goes on after its uncaught error, or after the exit.
  await worker.terminate();
  return code;
}
