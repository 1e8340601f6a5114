#!/usr/bin/env node
/** The command line program: from arguments to configuration to service. */

import type { CommandEnd } from "./commands/failed.ts";
import type { ServiceRecording } from "./commands/record-command.ts";
import { type Flags, helpText, parseCommandLine } from "./config/commandline.ts";
import type { LoadedConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import type { Failure } from "./errors.ts";
import { errorLines, log, outputLines, printReport } from "./logs/log.ts";
import { commandAfterDenial, demandPermissions } from "./permissions/demand-permissions.ts";
import { runtime } from "./runtime/pick-runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { listenCure } from "./service/listen-cures.ts";
import type { Service } from "./service/service.ts";
import { endOnSignals } from "./service/signals.ts";
import { type ExitReport, isJoined } from "./sidecar/exit-report.ts";
import { flushSpans } from "./sidecar/host/spans.ts";
import { version } from "./version.ts";

type StartRecording = (config: LoadedConfig) => ServiceRecording;

async function main(): Promise<void> {
  const parsed = parseCommandLine(process.argv.slice(2));
  switch (parsed.command) {
    case "help": {
      if (parsed.of === undefined) return print(helpText());
      const { commandHelp } = await import("./config/command-help.ts");
      return print(commandHelp(parsed.of));
    }
    case "version":
      return print(version);
    case "config-schema": {
      const { configJsonSchema } = await import("./config/json-schema.ts");
      return print(JSON.stringify(configJsonSchema(), undefined, 2));
    }
    case "completion": {
      const { completion } = await import("./commands/completion.ts");
      return print(completion(parsed.shell));
    }
    case "presets": {
      const { presets } = await import("./commands/presets-command.ts");
      return print(presets(parsed));
    }
    case "check-config": {
      const { describeConfig } = await import("./config/describe.ts");
      const { loadForProcess } = await import("./service/process-config.ts");
      const config = await loadForProcess(parsed.flags);
      process.stdout.write(describeConfig(config));
      // Beside the output, which may go on to be edited and is not known to be right then.
      errorLines.push([...config.warnings.map((warning) => `warning: ${warning}\n`), "ok\n"].join(""));
      return;
    }
    case "call": {
      const ahead = startAhead(runtime);
      const { call } = await import("./commands/call-command.ts");
      return end(await call(parsed, ahead));
    }
    case "listen": {
      const { listen } = await import("./commands/listen-command.ts");
      return end(await listen(parsed, runtime));
    }
    case "status": {
      const { status } = await import("./commands/status-command.ts");
      return end(await status(parsed, runtime));
    }
    case "doctor": {
      const { doctor } = await import("./commands/doctor-command.ts");
      return end(await doctor(parsed, runtime));
    }
    case "run": {
      const ahead = startAhead(runtime);
      const { run } = await import("./commands/run-command.ts");
      return end(await run(parsed, ahead));
    }
    case "record": {
      const ahead = startAhead(runtime);
      const { recording } = await import("./commands/record-command.ts");
      return serve(parsed.flags, ahead, (config) => recording(parsed, config, ahead));
    }
    case "probe": {
      const { probe } = await import("./commands/probe-command.ts");
      return end(await probe(parsed, runtime));
    }
    case "cluster-setup": {
      const { clusterSetup } = await import("./commands/cluster-setup-command.ts");
      return end(await clusterSetup(parsed, runtime));
    }
    case "check-protocol": {
      const { checkProtocol } = await import("./commands/check-protocol-command.ts");
      return end(await checkProtocol(parsed, runtime));
    }
    case "mock": {
      const { mock } = await import("./commands/mock-command.ts");
      return end(await mock(parsed, runtime));
    }
    case "serve": {
      const ahead = startAhead(runtime);
      return serve(parsed.flags, ahead);
    }
  }
}

/** @param record begins the recording of an upstream, if one is to be recorded */
async function serve(flags: Flags, ahead: Runtime, record?: StartRecording): Promise<void> {
  const loadingConfig = import("./service/process-config.ts");
  // Begin with both: the files of the service are read while the configuration is.
  const loadingService = import("./service/service.ts");
  // A wrong configuration comes first, and would leave the failure to nobody.
  loadingService.catch(() => {});
  const { loadForProcess, startLogOf } = await loadingConfig;
  const config = await loadForProcess(flags);
  startLogOf(config);
  await demandPermissions(config);
  const recording = record?.(config);
  // Until the service exists, signals keep their default effect: there is nothing to end in order.
  const { Service } = await loadingService;
  const loadAgain = async () => {
    const again = await loadForProcess(flags);
    await demandPermissions(again);
    return again;
  };
  const tapeOf = recording && ((name: string) => (name === recording.upstream ? recording.recorder : undefined));
  const service = await Service.start(config, ahead, loadAgain, tapeOf);
  // The log has the outcome of a reload.
  const reload = () => service.reload("SIGHUP").catch(() => {});
  endOnSignals(runtime.endingSignals, (options) => service.exit(options), { reload });
  endOnFaults(service);
  service.ended.then(async (report) => {
    await recording?.end(report.cause);
    return await leave(report);
  });
  recording?.recorder.over.then((why) => service.exit({ cause: `record: ${why}` }));
  service.failing.then(({ code, detail }) => {
    log.fatal(`giving up: ${detail}`);
    service.exit({ cause: code, exitCode: exitCodeOf(code) });
  });
  await service.opened.then(
    () => {
      greet(service, recording, config);
      recording?.begin();
    },
    () => {}, // The exit is under way: `failing` or an earlier request began it.
  );
}

/** Starts the first thread now, so that both threads load at once. It connects to nothing until it is told to. */
function startAhead(from: Runtime): Runtime {
  const ahead = [from.startThread()];
  return Object.create(from, { startThread: { value: () => ahead.pop() ?? from.startThread() } });
}

function greet({ url, demoUrl }: Service, recording: ServiceRecording | undefined, config: LoadedConfig): void {
  const lines = recording ? errorLines : outputLines;
  lines.push(`listening on ${url}\n`);
  if (recording) lines.push(`recording upstream ${recording.upstream} on standard output\n`);
  log.info(`sidesocket ${version} on ${runtime.name} ${runtime.version} serves ${url}`, { url });
  if (demoUrl !== undefined) errorLines.push(demoHint(url, demoUrl, config));
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
/** Time that a collector of traces has for the last spans, in milliseconds. */
const LAST_SPANS_WITHIN_MS = 1_000;

/** Ends the process of a service that has started. There is no other way out. */
async function leave(report: ExitReport): Promise<never> {
  const joined = isJoined(report);
  printReport(report);
  return end({ exitCode: report.exit_code, joined });
}

async function end({ exitCode, joined }: CommandEnd): Promise<never> {
  if (!joined) errorLines.push("the sidecar's thread could not be joined: it is left behind\n");
  await Promise.all([errorLines.flushed(LAST_LINES_WITHIN_MS), flushSpans(LAST_SPANS_WITHIN_MS)]);
  if (!joined) runtime.abandon(exitCode);
  process.exit(exitCode);
}

function demoHint(url: string, demoUrl: string, { tokens, listen }: LoadedConfig): string {
  const message = `'{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}'`;
  const [header, where] =
    tokens.length > 0 ? ['-H "Authorization: Bearer $TOKEN" ', ", with TOKEN set to a token of yours"] : ["", ""];
  const [, socket] = /^unix:(.+)/.exec(url) ?? [];
  const [way, base] =
    socket === undefined ? ["", url] : [`--unix-socket ${socket} `, `${listen.tls ? "https" : "http"}://localhost`];
  return [
    "",
    `no upstream is configured: started a demo upstream at ${demoUrl}. Try${where}:`,
    "",
    `  curl ${way}${header}--json ${message} ${base}/rpc`,
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
  // Deno's error about a missing permission has no code.
  const command = commandAfterDenial(error);
  const isUserError = error instanceof ConfigError || code !== undefined || command !== undefined;
  const cure = listenCure(code, { host: "--host", port: "--port" });
  errorLines.push(`sidesocket: ${isUserError ? message : stack}${cure === undefined ? "" : `: ${cure}`}\n`);
  if (command !== undefined) errorLines.push(`\nBegin with this, which says what else it needs:\n\n  ${command}\n\n`);
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
