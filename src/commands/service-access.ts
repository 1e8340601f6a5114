/** The address and the token of a running service, for commands that ask it. */

import { readFile } from "node:fs/promises";
import { addressOf } from "../client/remote-service.ts";
import type { CommandOptions } from "../config/command-options.ts";
import type { Flags } from "../config/commandline.ts";
import { type LoadedConfig, readerOf, readLog } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { LogSettings } from "../config/schema.ts";
import { API_TOKENS, readTokens } from "../config/tokens.ts";
import { partsOf } from "../http/callers.ts";
import { startLog } from "../logs/log.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import type { Needs } from "../runtime/runtime.ts";
import { loadForProcess } from "../service/process-config.ts";

export interface ServiceAccess {
  readonly url: string;
  readonly token: string | undefined;
}

/**
 * Finds the service of `--service` or, without it, the one that would run with this configuration; its token is the
 * first of the API's tokens. Warnings about the configuration are the service's own to give.
 * @param files that the command reads and writes besides
 * @throws ConfigError as the service itself does, and if Deno does not permit to ask it
 */
export async function accessService(
  { flags, options }: AccessInput,
  files: Pick<Needs, "read" | "write"> = { read: [], write: [] },
): Promise<ServiceAccess> {
  const { log, variables, ...access } = await (options.service === undefined
    ? configured(flags)
    : named(options.service, flags));
  startLog(log);
  await demandNeeds({ net: [hostOf(access.url)], ...files }, variables);
  return access;
}

interface AccessInput {
  readonly flags: Flags;
  readonly options: Pick<CommandOptions, "service">;
}

interface Found extends ServiceAccess {
  readonly log: LogSettings;
  /** The variables that the configuration names. */
  readonly variables: readonly string[];
}

async function configured(flags: Flags): Promise<Found> {
  const { listen, tokens, log, sources } = await loadForProcess(flags);
  return { url: urlOf(listen), token: firstOf(tokens), log, variables: sources.variables };
}

async function named(service: string, flags: Flags): Promise<Found> {
  const read = readerOf((path) => readFile(path, "utf8"), ".", []);
  const tokens = await readTokens(API_TOKENS, flags, process.env, read, () => {});
  return { url: checkedUrl(service), token: firstOf(tokens), log: readLog(flags, process.env), variables: [] };
}

function hostOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

function checkedUrl(service: string): string {
  try {
    return addressOf(service);
  } catch {
    throw new ConfigError("--service must be the http:// or https:// address of a service");
  }
}

function urlOf({ host, port }: LoadedConfig["listen"]): string {
  if (port === 0)
    throw new ConfigError("the port of the service is chosen at its start: give its address by --service");
  // An address that stands for all of a machine is none to connect to.
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function firstOf([token]: readonly string[]): string | undefined {
  return token === undefined ? undefined : partsOf(token).text;
}
