#!/usr/bin/env node
/** The command line program: from arguments to configuration to service. */

import {
  type CallCommand,
  helpText,
  type ListenCommand,
  parseCommandLine,
  type RunCommand,
  type StatusCommand,
} from "./config/commandline.ts";
import type { LoadedConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import { demandNeeds, demandPermissions } from "./demand-permissions.ts";
import type { Failure } from "./errors.ts";
import { errorLines, log, outputLines, printReport, startLog } from "./log.ts";
import { needsOf } from "./permissions.ts";
import { runtime } from "./runtime/pick-runtime.ts";
import type { Needs, Runtime } from "./runtime/runtime.ts";
import type { Service } from "./service.ts";
import { type ExitReport, isJoined } from "./sidecar/exit-report.ts";
import { endOnSignals } from "./signals.ts";
import { version } from "./version.ts";

async function main(): Promise<void> {
  const parsed = parseCommandLine(process.argv.slice(2));
  switch (parsed.command) {
    case "help":
      return print(helpText());
    case "version":
      return print(version);
    case "config-schema": {
      const { configJsonSchema } = await import("./config/json-schema.ts");
      return print(JSON.stringify(configJsonSchema(), undefined, 2));
    }
    case "check-config": {
      const { describeConfig } = await import("./config/describe.ts");
      return print(JSON.stringify(describeConfig(await load(parsed.flags)), undefined, 2));
    }
    case "call": {
      const ahead = startAhead(runtime);
      return callOnce(parsed, await load(parsed.flags), ahead);
    }
    case "listen":
      return listen(parsed);
    case "status":
      return status(parsed);
    case "doctor": {
      const { doctor } = await import("./commands/doctor-command.ts");
      const { exitCode, joined } = await doctor(parsed, runtime);
      return end(exitCode, joined);
    }
    case "run": {
      const ahead = startAhead(runtime);
      return run(parsed, await load(parsed.flags), ahead);
    }
    case "serve": {
      const ahead = startAhead(runtime);
      return serve(await load(parsed.flags), ahead);
    }
  }
}

async function load(
  flags: Parameters<typeof import("./config/load.ts").loadConfig>[0]["flags"] & object,
): Promise<LoadedConfig> {
  const { loadConfig } = await import("./config/load.ts");
  const config = await loadConfig({ flags, env: process.env });
  // Overwrites the arguments in the list of processes, on both runtimes.
  if (config.secretOnCommandLine) process.title = "sidesocket";
  return config;
}

async function callOnce(command: CallCommand, config: LoadedConfig, ahead: Runtime): Promise<never> {
  startLog(config.log);
  const { call } = await import("./commands/call-command.ts");
  const { oneUpstream } = await import("./commands/one-upstream.ts");
  const { sources } = config;
  await demandPermissions({ upstreams: oneUpstream(config, command.options.to), sources }, command.words);
  const { exitCode, joined } = await call(command, config, ahead);
  return end(exitCode, joined);
}

async function listen(command: ListenCommand): Promise<never> {
  const { flags, options } = command;
  const { listenToService, listenToUpstream } = await import("./commands/listen-command.ts");
  const { nextTo } = await import("./commands/cursor-file.ts");
  const { cursor } = options;
  const read = cursor === undefined ? [] : [cursor];
  const write = cursor === undefined ? [] : [cursor, nextTo(cursor)];
  if (options.service !== undefined) {
    const { exitCode, joined } = await listenToService(command, await access(command, { read, write }), runtime);
    return end(exitCode, joined);
  }
  const config = await load(flags);
  startLogOf(config);
  const { oneUpstream } = await import("./commands/one-upstream.ts");
  const needs = needsOf({ upstreams: oneUpstream(config, options.to), sources: config.sources });
  await demandNeeds({ ...needs, read: [...needs.read, ...read], write }, config.sources.variables);
  const { exitCode, joined } = await listenToUpstream(command, config, runtime);
  return end(exitCode, joined);
}

async function status(command: StatusCommand): Promise<never> {
  const { status: ask } = await import("./commands/status-command.ts");
  const { exitCode, joined } = await ask(command.options, await access(command), runtime);
  return end(exitCode, joined);
}

/** Finds the running service of a command, and checks the permission to ask it. */
async function access({ flags, options }: ListenCommand | StatusCommand, files: Partial<Needs> = {}) {
  const { hostOf, serviceAccess } = await import("./commands/service-access.ts");
  const service = await serviceAccess({ flags, options, env: process.env });
  startLog(service.log);
  await demandNeeds({ net: [hostOf(service)], read: [], write: [], ...files }, service.sources.variables);
  return service;
}

async function run(command: RunCommand, config: LoadedConfig, ahead: Runtime): Promise<never> {
  startLogOf(config);
  const { upstreams, sources } = config;
  await demandPermissions({ upstreams, sources: { ...sources, files: [...sources.files, command.script] } });
  const { runScript } = await import("./commands/run-command.ts");
  const { exitCode, joined } = await runScript(command, config, ahead);
  return end(exitCode, joined);
}

function startLogOf({ log: settings, warnings }: Pick<LoadedConfig, "log" | "warnings">): void {
  startLog(settings);
  for (const warning of warnings) log.warn(warning);
}

async function serve(config: LoadedConfig, ahead: Runtime): Promise<void> {
  startLogOf(config);
  await demandPermissions(config);
  // Until the service exists, signals keep their default effect: there is nothing to end in order.
  const { Service } = await import("./service.ts");
  const service = await Service.start(config, ahead);
  endOnSignals(runtime.endingSignals, (options) => service.exit(options));
  endOnFaults(service);
  service.ended.then(leave);
  service.failing.then(({ code, detail }) => {
    log.fatal(`giving up: ${detail}`);
    service.exit({ cause: code, exitCode: exitCodeOf(code) });
  });
  await service.opened.then(
    () => greet(service),
    () => {}, // The exit is under way: `failing` or an earlier request began it.
  );
}

/** Starts the first thread now, so that both threads load at once. It connects to nothing until it is told to. */
function startAhead(from: Runtime): Runtime {
  const ahead = [from.startThread()];
  return Object.create(from, { startThread: { value: () => ahead.pop() ?? from.startThread() } });
}

function greet({ url, demoUrl }: Service): void {
  outputLines.push(`listening on ${url}\n`);
  if (demoUrl !== undefined) errorLines.push(demoHint(url, demoUrl));
}

/** Ends the service in order after an uncaught error, because it may have left anything half done. */
function endOnFaults(service: Service): void {
  let faults = 0;
  // Unhandled rejections arrive here, too, on both runtimes.
  process.on("uncaughtException", (error) => {
    faults++;
    log.fatal("internal error: giving up", { error });
    service.exit({ cause: "internal_error", force: faults > 1, exitCode: 70 });
  });
}

/** Time that a slow reader of standard error has for the last lines, in milliseconds. */
const LAST_LINES_WITHIN_MS = 250;

/** Ends the process of a service that has started. There is no other way out. */
async function leave(report: ExitReport): Promise<never> {
  const joined = isJoined(report);
  printReport(report);
  return end(report.exit_code, joined);
}

async function end(exitCode: number, joined: boolean): Promise<never> {
  if (!joined) errorLines.push("the sidecar's thread could not be joined: it is left behind\n");
  await errorLines.flushed(LAST_LINES_WITHIN_MS);
  if (!joined) runtime.abandon(exitCode);
  process.exit(exitCode);
}

function demoHint(url: string, demoUrl: string): string {
  const message = `'{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}'`;
  return [
    "",
    `no upstream is configured: started a demo upstream at ${demoUrl}. Try:`,
    "",
    `  curl --json ${message} ${url}/rpc`,
    "",
    "",
  ].join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Reports an error before the service exists in one clear message, and ends the process. */
async function refuse(error: unknown): Promise<never> {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  const isUserError = error instanceof ConfigError || code !== undefined;
  errorLines.push(`sidesocket: ${isUserError ? message : stack}\n`);
  await errorLines.flushed(LAST_LINES_WITHIN_MS);
  process.exit(isUserError ? 2 : 70);
}

/** The exit code for a failure: 2 if the user can fix it. */
function exitCodeOf(code: Failure["code"]): number {
  return code === "invalid_config" ? 2 : 70;
}

// Standard output without a reader must not end the process.
process.stdout.on("error", () => {});
main().catch(refuse);
