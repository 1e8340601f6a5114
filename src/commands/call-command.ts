/** The command `sidesocket call`: one upstream, one request, the exit protocol, and the reply on standard output. */

import { type CallCommand, isWholeMessage } from "../config/commandline.ts";
import { demoUpstreams } from "../config/demo-settings.ts";
import { ConfigError } from "../config/problems.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { batchFailure, DEFAULT_TIMEOUT_MS, type Outcome } from "../core/outcome.ts";
import { Budget } from "../core/util/budget.ts";
import { type Failure, refused, SidesocketError } from "../errors.ts";
import { decodeText, readChunks } from "../http/call/body.ts";
import { CollectedBody, tooLarge } from "../http/call/collected-body.ts";
import { parseTimeoutWithin } from "../http/call/timeout.ts";
import { errorLines, log, startLog } from "../logs/log.ts";
import { logModules } from "../logs/module-log.ts";
import { demandPermissions } from "../permissions/demand-permissions.ts";
import { type Pointer, parsePointer } from "../protocols/json-place.ts";
import { pick } from "../protocols/pick.ts";
import type { Body } from "../protocols/protocol.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { loadForProcess } from "../service/process-config.ts";
import { endOnSignals } from "../service/signals.ts";
import { isJoined } from "../sidecar/exit-report.ts";
import { Sidecars } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import { type CommandEnd, printFailure, UNREAD } from "./failed.ts";
import { oneUpstream } from "./one-upstream.ts";
import { rpcMessage } from "./rpc-words.ts";

/** The checked options of the command. */
interface CallOptions {
  readonly timeoutMs: number;
  readonly pointers: readonly Pointer[];
}

/** @throws ConfigError for an invalid `--timeout` or `--pick` */
function readOptions({ options: { timeout, pick: pointers = [] } }: CallCommand): CallOptions {
  try {
    return {
      timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : parseTimeoutWithin(timeout),
      pointers: pointers.map(parsePointer),
    };
  } catch (error) {
    throw new ConfigError(`${error instanceof RangeError ? "--timeout" : "--pick:"} ${(error as Error).message}`);
  }
}

/**
 * Takes the message from the arguments: for JSON-RPC a method with its parameters, unless the first one is a message.
 * @throws ConfigError for parameters that the protocol has no place for
 */
function messageOf([first = "", ...params]: readonly string[], { protocol }: UpstreamSettings): string {
  if (isWholeMessage(first)) return first;
  const name = typeof protocol === "string" ? protocol : protocol.preset;
  if (name === "json-rpc") return rpcMessage(first, params);
  if (params.length === 0) return first;
  throw new ConfigError("a method with parameters is for the protocol json-rpc: give one message, quoted as a whole");
}

/** The texts or bytes to print, or the failure. */
type Result = { readonly replies: readonly Body[] } | { readonly failure: Failure };

/** Runs the command: prints the reply to standard output, or the problem to standard error. */
export async function call(command: CallCommand, runtime: Runtime): Promise<CommandEnd> {
  const config = await loadForProcess(command.flags);
  startLog(config.log);
  const chosen = oneUpstream(config, command.options.to);
  await demandPermissions({ upstreams: chosen, sources: config.sources }, command.words);
  const options = readOptions(command);
  const demo = chosen.size === 0 ? await (await import("../demo/demo-upstream.ts")).startDemo() : undefined;
  const upstreams = demo ? demoUpstreams(demo) : chosen;
  const [settings] = upstreams.values();
  if (!settings) throw new RangeError("unreachable: there is one upstream");
  // Read standard input before the thread starts: until then a signal simply ends the process.
  const body = await read(messageOf(command.words, settings), settings.limits.request_bytes).catch(failureOf);
  if (typeof body !== "string") return { exitCode: await print(body, undefined, runtime), joined: true };

  const sidecars = new Sidecars(upstreams, config.shutdown, runtime.startThread);
  const [client] = sidecars.upstreams.values();
  if (!client) throw new RangeError("unreachable: there is one upstream");
  logModules(sidecars.upstreams.values());
  const giveSignalsBack = endOnSignals(runtime.endingSignals, (exit) => sidecars.exit(exit));
  const result = await request(client, body, options);
  const report = await sidecars.exit({ cause: "call" });
  await demo?.stop();
  // From here on a signal has its default effect: the reader of the output may never read.
  giveSignalsBack();
  log.debug("exit", { report });

  const exitCode = await print(result, client, runtime);
  const joined = isJoined(report);
  return { exitCode: joined ? exitCode : report.exit_code, joined };
}

/** Sends the request once the upstream is open. A failure to open means that nothing was sent. */
async function request(client: UpstreamClient, body: string, { timeoutMs, pointers }: CallOptions): Promise<Result> {
  const began = performance.now();
  try {
    await client.openedWithin(timeoutMs);
  } catch (error) {
    return failureOf(error);
  }
  const left = Math.max(1, timeoutMs - (performance.now() - began));
  return resultOf(await client.request({ kind: "request", body, timeoutMs: left }), pointers);
}

/** Reads the message, for `-` from standard input. A newline at its end is the shell's, not part of the message. */
async function read(message: string, limitBytes: number): Promise<string> {
  const given = message === "-" ? await readInput(limitBytes) : message;
  const text = message === "-" ? given.replace(/\r?\n$/, "") : given;
  if (text === "") throw refused("invalid_request", "the message is empty");
  if (Buffer.byteLength(text) > limitBytes) throw tooLarge(limitBytes);
  return text;
}

async function readInput(limitBytes: number): Promise<string> {
  const collected = new CollectedBody(limitBytes, Budget.alone());
  await readChunks(process.stdin, collected);
  return decodeText(collected.whole());
}

function failureOf(error: unknown): Result {
  if (error instanceof SidesocketError) return { failure: error.failure };
  throw error;
}

function resultOf(outcome: Outcome, pointers: readonly Pointer[]): Result {
  switch (outcome.type) {
    case "failed":
      return { failure: outcome.failure };
    case "done":
      return { replies: [""] };
    case "reply":
      return picked(outcome.body, pointers);
    case "batch": {
      const failure = batchFailure(outcome);
      if (failure) return { failure };
      return picked(`[${outcome.items.map((item) => (item.type === "reply" ? item.body : "")).join(",")}]`, pointers);
    }
  }
}

/** The values at the pointers; without any, the reply as a whole. */
function picked(reply: Body, pointers: readonly Pointer[]): Result {
  if (pointers.length === 0) return { replies: [reply] };
  const replies: string[] = [];
  for (const pointer of pointers) {
    const value = pick(reply, pointer);
    if (!("text" in value)) return { failure: { code: "invalid_reply", sent: "yes", detail: `pick: ${value.why}` } };
    replies.push(value.text);
  }
  return { replies };
}

/** Prints the result. @returns the exit code */
async function print(result: Result, client: UpstreamClient | undefined, { write }: Runtime): Promise<number> {
  if ("failure" in result) return printFailure(result.failure, client);
  try {
    for (const reply of result.replies) {
      await write("stdout", typeof reply === "string" ? new TextEncoder().encode(`${reply}\n`) : reply);
    }
    return 0;
  } catch {
    errorLines.push("sidesocket: a reply arrived, but nobody reads standard output\n");
    return UNREAD;
  }
}
