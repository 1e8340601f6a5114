/** The command `sidesocket listen`: unsolicited messages as lines on standard output. */

import type { Fetch } from "../client/remote-service.ts";
import { connect } from "../client/remote-sidecar.ts";
import type { ListenCommand } from "../config/commandline.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import { meant } from "../config/suggestions.ts";
import { memoryOf } from "../core/util/budget.ts";
import { type Failure, SidesocketError } from "../errors.ts";
import { lineOf } from "../http/streaming/render.ts";
import { log } from "../logs/log.ts";
import { logModules } from "../logs/module-log.ts";
import { frameLog, logUpstream } from "../logs/upstream-log.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import { needsOf } from "../permissions/permissions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { loadForProcess, startLogOf } from "../service/process-config.ts";
import { endOnSignals } from "../service/signals.ts";
import { type ExitReport, isJoined } from "../sidecar/exit-report.ts";
import { readMessages } from "../sidecar/host/message-iterator.ts";
import { type ExitOptions, noHttpSide, Sidecars } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import { type ReadSelection, readSelection, type UpstreamMessage } from "../sidecar/upstream-message.ts";
import { CursorFile, nextTo } from "./cursor-file.ts";
import { type CommandEnd, printFailure } from "./failed.ts";
import { LineOutput, Unread } from "./line-output.ts";
import { oneUpstream } from "./one-upstream.ts";
import { accessService, type ServiceAccess } from "./service-access.ts";

/** A service that is away is tried for as long as a timer can wait: a listener ends only when it is told to. */
const RESUME_MS = 2 ** 31 - 1;

interface Listening extends ReadSelection {
  readonly limit: number;
  readonly subscription: string | undefined;
}

/** A source of messages, and its end. */
interface Source {
  messages(options: Listening, signal: AbortSignal): AsyncIterable<UpstreamMessage>;
  /** @returns undefined if there is nothing to exit from */
  exit(options: ExitOptions): Promise<ExitReport | undefined>;
  /** The upstream of a failure, if it is known here. */
  readonly client?: UpstreamClient;
}

export async function listen(command: ListenCommand, runtime: Runtime): Promise<CommandEnd> {
  const { to, service, cursor } = command.options;
  const read = cursor === undefined ? [] : [cursor];
  const write = cursor === undefined ? [] : [cursor, nextTo(cursor)];
  if (service !== undefined) {
    const access = await accessService(command, { read, write });
    return await listenTo(command, () => serviceSource(access, to), runtime);
  }
  const config = await loadForProcess(command.flags);
  startLogOf(config);
  if (config.demo) {
    throw new ConfigError("listen needs a running service (--service URL) or an upstream (--upstream URL)");
  }
  const chosen = oneUpstream(config, to);
  const needs = needsOf({ upstreams: chosen, sources: config.sources });
  await demandNeeds({ ...needs, read: [...needs.read, ...read], write }, config.sources.variables);
  return await listenTo(command, () => upstreamSource(chosen, command, config, runtime), runtime);
}

async function listenTo(command: ListenCommand, begin: () => Source, runtime: Runtime): Promise<CommandEnd> {
  const options = readListening(command);
  const { cursor: path } = command.options;
  const cursor = path === undefined ? undefined : await CursorFile.open(path);
  const source = begin();
  const output = new LineOutput(runtime);
  const stopping = new AbortController();
  const giveSignalsBack = endOnSignals(runtime.endingSignals, (exit) => {
    stopping.abort();
    output.end();
    return source.exit(exit);
  });
  const from = cursor?.start === undefined ? options : { ...options, after: cursor.start };
  const failure = await copy(source.messages(from, stopping.signal), options.limit, output, cursor, stopping.signal);
  const report = await source.exit({ cause: "listen" });
  giveSignalsBack();
  if (report) log.debug("exit", { report });
  const joined = report === undefined || isJoined(report);
  const exitCode = failure ? printFailure(failure, source.client) : (report?.exit_code ?? 0);
  return { exitCode: joined ? exitCode : (report?.exit_code ?? exitCode), joined };
}

/**
 * Copies messages to the output until one of both ends, or the limit is reached.
 * @returns the failure that ended it; undefined if it ended in order
 */
async function copy(
  messages: AsyncIterable<UpstreamMessage>,
  limit: number,
  output: LineOutput,
  cursor: CursorFile | undefined,
  stopping: AbortSignal,
): Promise<Failure | undefined> {
  let left = limit;
  try {
    for await (const message of messages) {
      await output.line(lineOf(message));
      cursor?.reached(message.cursor);
      if ("data" in message && --left <= 0) break;
      if (stopping.aborted) break;
    }
    await cursor?.saved();
    return left <= 0 || stopping.aborted ? undefined : SOURCE_ENDED;
  } catch (error) {
    if (error instanceof Unread) return await cursor?.saved().then(() => undefined, failureOf);
    return failureOf(error);
  }
}

const SOURCE_ENDED: Failure = {
  code: "shutting_down",
  sent: "no",
  detail: "the messages have ended: the service shuts down, or the subscription was removed",
};

function failureOf(error: unknown): Failure {
  // To read sends no message of anybody.
  if (error instanceof SidesocketError) return { ...error.failure, sent: "no" };
  return { code: "internal_error", sent: "no", detail: (error as Error).message };
}

function serviceSource({ name, url, token, fetch }: ServiceAccess, upstream: string | undefined): Source {
  const sidecar = connect(url, {
    ...(token !== undefined && { token }),
    ...(upstream !== undefined && { upstream }),
    resumeMs: RESUME_MS,
    fetch: reporting(name, fetch),
  });
  return {
    async *messages({ limit: _, subscription, ...selection }, signal) {
      // A wrong address, token or name is refused now; later on a failure may pass.
      await sidecar.readState();
      yield* sidecar.messages({ ...selection, ...(subscription !== undefined && { subscription }), signal });
    },
    async exit() {
      await sidecar.close();
      return undefined;
    },
  };
}

/** A `fetch` that logs once when the service is lost, and once when it is back. */
function reporting(service: string, fetch: Fetch): Fetch {
  let isLost = false;
  return async (to, init) => {
    try {
      const response = await fetch(to, init);
      if (isLost) log.info("the service is back", { service });
      isLost = false;
      return response;
    } catch (error) {
      if (!isLost && !init.signal?.aborted) {
        const { message, cause } = error as Error;
        log.warn("the service is lost, and tried again", {
          service,
          reason: (cause as Error)?.message ?? message,
        });
        isLost = true;
      }
      throw error;
    }
  };
}

function upstreamSource(
  chosen: ReturnType<typeof oneUpstream>,
  { options: { subscription } }: ListenCommand,
  { shutdown, limits }: LoadedConfig,
  runtime: Runtime,
): Source {
  const [settings] = chosen.values();
  const subscriptions = Object.keys(settings?.subscriptions ?? {});
  if (subscription !== undefined && !subscriptions.includes(subscription)) {
    throw new ConfigError(`--subscription: unknown subscription (${meant(subscription, subscriptions)})`);
  }
  const memory = memoryOf(limits, runtime.memoryLimit);
  const sidecars = new Sidecars(chosen, shutdown, runtime.startThread, noHttpSide, memory, frameLog());
  const [client] = sidecars.upstreams.values();
  if (!client) throw new RangeError("unreachable: there is one upstream");
  logModules(sidecars.upstreams.values());
  for (const upstream of sidecars.upstreams.values()) logUpstream(upstream);
  return {
    client,
    messages: ({ limit: _, subscription: journal, ...selection }, signal) =>
      readMessages(client.journals, { ...selection, journal, signal }),
    exit: (options) => sidecars.exit(options),
  };
}

/** @throws ConfigError for an option that is invalid */
export function readListening({ options }: Pick<ListenCommand, "options">): Listening {
  const { limit: count, after, where: rules = [], subscription } = options;
  const limit = count === undefined ? Number.POSITIVE_INFINITY : Number(count);
  if (count !== undefined && !/^[1-9]\d{0,14}$/.test(count))
    throw new ConfigError("--limit must be a whole number from 1");
  const where: Record<string, string> = {};
  const has: string[] = [];
  for (const rule of rules) {
    const at = rule.indexOf("=");
    if (at < 0) {
      has.push(rule);
      continue;
    }
    const pointer = rule.slice(0, at);
    if (Object.hasOwn(where, pointer)) throw new ConfigError("--where: each pointer has one value");
    where[pointer] = rule.slice(at + 1);
  }
  const selection = { where, has, ...(after !== undefined && { after }) };
  try {
    readSelection(selection);
  } catch (error) {
    throw new ConfigError(`--${(error as Error).message}`);
  }
  return { ...selection, limit, subscription };
}
