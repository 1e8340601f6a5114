/** The address and the token of a running service, for commands that ask it. */

import { readFile } from "node:fs/promises";
import { addressOf, type Fetch } from "../client/remote-service.ts";
import type { CommandOptions } from "../config/command-options.ts";
import type { Flags } from "../config/commandline.ts";
import { serviceAddress } from "../config/listen-settings.ts";
import { type LoadedConfig, readerOf, readLog } from "../config/load.ts";
import { resolvePath } from "../config/paths.ts";
import { ConfigError } from "../config/problems.ts";
import type { LogSettings } from "../config/schema.ts";
import { API_TOKENS, readTokens } from "../config/tokens.ts";
import { partsOf } from "../http/callers.ts";
import { startLog } from "../logs/log.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import type { Needs } from "../runtime/runtime.ts";
import { faultOfFile } from "../secrets/tls-files.ts";
import { loadForProcess } from "../service/process-config.ts";
import { fetchBy } from "./service-fetch.ts";

export interface ServiceAccess {
  /** The address as people see it: a base URL, or `unix:` and a path. */
  readonly name: string;
  /** The base URL of requests. */
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: Fetch;
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
  const {
    log,
    variables,
    token,
    address,
    tls = options.ca !== undefined,
  } = await (options.service === undefined ? configured(flags) : named(options.service, flags));
  startLog(log);
  const socketPath = /^unix:(.+)/.exec(address)?.[1];
  const read = readerOf((path) => readFile(path, "utf8"), ".", []);
  const ca = options.ca === undefined ? undefined : await read({ value: options.ca, from: "--ca" });
  const fault = ca === undefined ? undefined : faultOfFile("ca", ca);
  if (fault !== undefined) throw new ConfigError(`--ca: ${options.ca} ${fault}`);
  const ways = socketPath === undefined ? [] : [socketPath];
  await demandNeeds(
    {
      net: [socketPath === undefined ? hostOf(address) : address],
      read: [...files.read, ...ways, ...(options.ca === undefined ? [] : [options.ca])],
      write: [...files.write, ...ways],
    },
    variables,
  );
  const url = socketPath === undefined ? address : `${tls ? "https" : "http"}://localhost`;
  return { name: address, url, token, fetch: fetchBy({ socketPath, ca }) };
}

interface AccessInput {
  readonly flags: Flags;
  readonly options: Pick<CommandOptions, "service" | "ca">;
}

interface Found {
  readonly address: string;
  /** True if it serves HTTPS on its socket; undefined if that is not known. */
  readonly tls?: boolean;
  readonly token: string | undefined;
  readonly log: LogSettings;
  /** The variables that the configuration names. */
  readonly variables: readonly string[];
}

async function configured(flags: Flags): Promise<Found> {
  const { listen, tokens, log, sources } = await loadForProcess(flags);
  const address = serviceAddress(reachable(listen));
  const tls = listen.tls !== undefined;
  return { address, tls, token: firstOf(tokens), log, variables: sources.variables };
}

async function named(service: string, flags: Flags): Promise<Found> {
  const read = readerOf((path) => readFile(path, "utf8"), ".", []);
  const tokens = await readTokens(API_TOKENS, flags, process.env, read, () => {});
  return { address: checkedAddress(service), token: firstOf(tokens), log: readLog(flags, process.env), variables: [] };
}

function hostOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

function checkedAddress(service: string): string {
  const [, path] = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(service) ?? [];
  if (path !== undefined) return `unix:${resolvePath(path, ".")}`;
  try {
    return addressOf(service);
  } catch {
    throw new ConfigError("--service must be the http:// or https:// address of a service, or unix: and a path");
  }
}

/** An address that stands for all of a machine is none to connect to. */
function reachable(listen: LoadedConfig["listen"]): LoadedConfig["listen"] {
  const { host, port, path } = listen;
  if (port === 0 && path === undefined)
    throw new ConfigError("the port of the service is chosen at its start: give its address by --service");
  return { ...listen, host: host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host };
}

function firstOf([token]: readonly string[]): string | undefined {
  return token === undefined ? undefined : partsOf(token).text;
}
