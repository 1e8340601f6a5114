import type { CallCommand } from "./config/commandline.ts";
import type { LoadedConfig } from "./config/load.ts";
import { ConfigError } from "./config/problems.ts";
import { type UpstreamSettings, upstreamSchema } from "./config/schema.ts";
import { batchFailure, type Outcome } from "./core/outcome.ts";
import { type Failure, refused, type Sent, SidesocketError } from "./errors.ts";
import { decodeText, readCounted, tooLarge } from "./http/call/body.ts";
import { DEFAULT_TIMEOUT_MS, parseTimeoutWithin } from "./http/call/timeout.ts";
import { problemDocument } from "./http/problem.ts";
import { errorLines, log } from "./log.ts";
import { type Pointer, parsePointer } from "./protocols/json-edit.ts";
import { pick } from "./protocols/pick.ts";
import type { Body } from "./protocols/protocol.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { Sidecars } from "./sidecar/host/sidecars.ts";
import type { UpstreamClient } from "./sidecar/host/upstream-client.ts";
import { endOnSignals } from "./signals.ts";

/** `sidesocket call`: one upstream, one request, the exit protocol, and the reply on standard output. Nothing listens. */

const exitCodes: Readonly<Record<Sent, number>> = { no: 3, maybe: 4, yes: 5 };

/** What the command line asks for, once it is known to make sense. */
interface Wish {
  readonly timeoutMs: number;
  readonly pointer: Pointer | undefined;
}

/** @throws ConfigError for a wrong `--timeout` or `--pick` */
function readWish({ timeout, pick: pointer }: CallCommand): Wish {
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
 * The upstream that a call goes to: the one named `default`, or the only one. None, when the demo is to be started.
 * @throws ConfigError when there are several
 */
export function upstreamOf({ upstreams }: LoadedConfig): ReadonlyMap<string, UpstreamSettings> {
  const named = upstreams.get("default");
  if (named) return new Map([["default", named]]);
  if (upstreams.size <= 1) return upstreams;
  const known = [...upstreams.keys()].join(", ");
  throw new ConfigError(`call goes to the upstream named default, and of several (${known}) none is`);
}

/** How it went: what to print, or why there is nothing. */
type Result = { readonly reply: Body } | { readonly failure: Failure };

interface Ended {
  readonly exitCode: number;
  /** False when the thread could not be joined, and is left behind. */
  readonly joined: boolean;
}

/** Carries the call out, prints its reply to standard output or its problem to standard error. */
export async function call(command: CallCommand, config: LoadedConfig, runtime: Runtime): Promise<Ended> {
  const wish = readWish(command);
  const chosen = upstreamOf(config);
  const demo = chosen.size === 0 ? await (await import("./demo/demo-upstream.ts")).startDemo() : undefined;
  const upstreams = demo ? new Map([["default", upstreamSchema.parse({ url: demo.url })]]) : chosen;
  const [settings] = upstreams.values();
  if (!settings) throw new RangeError("unreachable: there is one upstream");
  // Standard input is read first: until the thread is there, a signal simply ends the process.
  const body = await read(command.message, settings.limits.request_bytes).catch(failureOf);
  if (typeof body !== "string") return { exitCode: await tell(body, undefined, runtime), joined: true };

  const sidecars = new Sidecars(upstreams, config.shutdown, runtime.startThread);
  const [client] = sidecars.upstreams.values();
  if (!client) throw new RangeError("unreachable: there is one upstream");
  const ignoreSignals = endOnSignals((options) => sidecars.exit(options));
  const result = await asked(client, body, wish);
  const report = await sidecars.exit({ cause: "call" });
  await demo?.stop();
  // A reader of our output that does not read may be ended as any other program's.
  ignoreSignals();
  log.debug("exit", { report });

  const exitCode = await tell(result, client, runtime);
  const joined = report.steps.every(({ step, outcome }) => step !== "join" || outcome !== "failed");
  return { exitCode: joined ? exitCode : report.exit_code, joined };
}

/** What is asked before there is an upstream to send it to was not sent; afterwards its thread knows. */
async function asked(client: UpstreamClient, body: string, { timeoutMs, pointer }: Wish): Promise<Result> {
  const began = performance.now();
  try {
    await client.openedWithin(timeoutMs);
  } catch (error) {
    return failureOf(error);
  }
  const left = Math.max(1, timeoutMs - (performance.now() - began));
  return resultOf(await client.request({ kind: "request", body, timeoutMs: left }), pointer);
}

/** The message, from standard input where it is `-`; a newline that ends it there is the shell's, not the message's. */
async function read(message: string, limitBytes: number): Promise<string> {
  const given = message === "-" ? decodeText(await readCounted(process.stdin, limitBytes)) : message;
  const text = message === "-" ? given.replace(/\r?\n$/, "") : given;
  if (text === "") throw refused("invalid_request", "the message is empty");
  if (Buffer.byteLength(text) > limitBytes) throw tooLarge(limitBytes);
  return text;
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

/** @returns the exit code */
async function tell(result: Result, client: UpstreamClient | undefined, { write }: Runtime): Promise<number> {
  if ("failure" in result) {
    const { failure } = result;
    errorLines.push(`${JSON.stringify(problemDocument(failure, client))}\n`);
    return failure.code === "invalid_config" ? 2 : exitCodes[failure.sent];
  }
  const { reply } = result;
  try {
    await write("stdout", typeof reply === "string" ? new TextEncoder().encode(`${reply}\n`) : reply);
    return 0;
  } catch {
    errorLines.push("sidesocket: the reply came, but nobody reads standard output\n");
    return exitCodes.yes;
  }
}
