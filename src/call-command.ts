/** The command `sidesocket call`: one upstream, one request, the exit protocol, and the reply on standard output. */

import type { CallCommand } from "./config/commandline.ts";
import { demoUpstreams } from "./config/demo-settings.ts";
import type { LoadedConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import type { UpstreamSettings } from "./config/schema.ts";
import { batchFailure, DEFAULT_TIMEOUT_MS, type Outcome } from "./core/outcome.ts";
import { Budget } from "./core/util/budget.ts";
import { type Failure, refused, retryFor, type Sent, SidesocketError } from "./errors.ts";
import { decodeText, readChunks } from "./http/call/body.ts";
import { CollectedBody, tooLarge } from "./http/call/collected-body.ts";
import { parseTimeoutWithin } from "./http/call/timeout.ts";
import { problemDocument } from "./http/problem.ts";
import { errorLines, log } from "./log.ts";
import { logModules } from "./module-log.ts";
import { type Pointer, parsePointer } from "./protocols/json-place.ts";
import { pick } from "./protocols/pick.ts";
import type { Body } from "./protocols/protocol.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { isJoined } from "./sidecar/exit-report.ts";
import { Sidecars } from "./sidecar/host/sidecars.ts";
import type { UpstreamClient } from "./sidecar/host/upstream-client.ts";
import { endOnSignals } from "./signals.ts";

const exitCodes: Readonly<Record<Sent, number>> = { no: 3, maybe: 4, yes: 5 };

/** The checked options of the command. */
interface CallOptions {
  readonly timeoutMs: number;
  readonly pointer: Pointer | undefined;
}

/** @throws ConfigError for an invalid `--timeout` or `--pick` */
function readOptions({ timeout, pick: pointer }: CallCommand): CallOptions {
  try {
    return {
      timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : parseTimeoutWithin(timeout),
      pointer: pointer === undefined ? undefined : parsePointer(pointer),
    };
  } catch (error) {
    throw new ConfigError(`${error instanceof RangeError ? "--timeout" : "--pick:"} ${(error as Error).message}`);
  }
}

/**
 * Picks the upstream of a call: the one named `default`, or the only one.
 * @returns that upstream by its name; an empty map for the demo
 * @throws ConfigError if there are several and none is named `default`
 */
export function upstreamOf({ upstreams }: LoadedConfig): ReadonlyMap<string, UpstreamSettings> {
  const named = upstreams.get("default");
  if (named) return new Map([["default", named]]);
  if (upstreams.size <= 1) return upstreams;
  const known = [...upstreams.keys()].join(", ");
  throw new ConfigError(`call needs an upstream named default (configured: ${known})`);
}

/** The reply to print, or the failure. */
type Result = { readonly reply: Body } | { readonly failure: Failure };

interface CallEnd {
  readonly exitCode: number;
  /** False if the thread could not be joined and is left behind. */
  readonly joined: boolean;
}

/** Runs the command: prints the reply to standard output, or the problem to standard error. */
export async function call(command: CallCommand, config: LoadedConfig, runtime: Runtime): Promise<CallEnd> {
  const options = readOptions(command);
  const chosen = upstreamOf(config);
  const demo = chosen.size === 0 ? await (await import("./demo/demo-upstream.ts")).startDemo() : undefined;
  const upstreams = demo ? demoUpstreams(demo) : chosen;
  const [settings] = upstreams.values();
  if (!settings) throw new RangeError("unreachable: there is one upstream");
  // Read standard input before the thread starts: until then a signal simply ends the process.
  const body = await read(command.message, settings.limits.request_bytes).catch(failureOf);
  if (typeof body !== "string") return { exitCode: await print(body, undefined, runtime), joined: true };

  const sidecars = new Sidecars(upstreams, config.shutdown, runtime.startThread);
  const [client] = sidecars.upstreams.values();
  if (!client) throw new RangeError("unreachable: there is one upstream");
  logModules(sidecars.upstreams);
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
async function request(client: UpstreamClient, body: string, { timeoutMs, pointer }: CallOptions): Promise<Result> {
  const began = performance.now();
  try {
    await client.openedWithin(timeoutMs);
  } catch (error) {
    return failureOf(error);
  }
  const left = Math.max(1, timeoutMs - (performance.now() - began));
  return resultOf(await client.request({ kind: "request", body, timeoutMs: left }), pointer);
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

function resultOf(outcome: Outcome, pointer: Pointer | undefined): Result {
  switch (outcome.type) {
    case "failed":
      return { failure: outcome.failure };
    case "done":
      return { reply: "" };
    case "reply":
      return pointer ? picked(outcome.body, pointer) : { reply: outcome.body };
    case "batch": {
      const failure = batchFailure(outcome);
      if (failure) return { failure };
      const whole = `[${outcome.items.map((item) => (item.type === "reply" ? item.body : "")).join(",")}]`;
      return pointer ? picked(whole, pointer) : { reply: whole };
    }
  }
}

function picked(reply: Body, pointer: Pointer): Result {
  const value = pick(reply, pointer);
  if ("text" in value) return { reply: value.text };
  return { failure: { code: "invalid_reply", sent: "yes", detail: `pick: ${value.why}` } };
}

/** Prints the result. @returns the exit code */
async function print(result: Result, client: UpstreamClient | undefined, { write }: Runtime): Promise<number> {
  if ("failure" in result) {
    const { failure } = result;
    errorLines.push(`${JSON.stringify(problemDocument(failure, client))}\n`);
    return failure.sent === "no" && retryFor(failure) === "never" ? 2 : exitCodes[failure.sent];
  }
  const { reply } = result;
  try {
    await write("stdout", typeof reply === "string" ? new TextEncoder().encode(`${reply}\n`) : reply);
    return 0;
  } catch {
    errorLines.push("sidesocket: a reply arrived, but nobody reads standard output\n");
    return exitCodes.yes;
  }
}
