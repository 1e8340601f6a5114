/** The address and the token of a running service, for commands that ask it. */

import { readFile } from "node:fs/promises";
import { addressOf } from "../client/remote-service.ts";
import type { CommandOptions } from "../config/command-options.ts";
import type { Flags } from "../config/commandline.ts";
import type { Environment } from "../config/environment.ts";
import { type LoadedConfig, loadConfig, readerOf, readLog } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import type { LogSettings } from "../config/schema.ts";
import { API_TOKENS, readTokens } from "../config/tokens.ts";
import { partsOf } from "../http/callers.ts";

export interface ServiceAccess {
  readonly url: string;
  readonly token: string | undefined;
  readonly log: LogSettings;
  readonly sources: LoadedConfig["sources"];
}

interface AccessInput {
  readonly options: Pick<CommandOptions, "service">;
  readonly flags: Flags;
  readonly env: Environment;
}

/**
 * The service is that of `--service` or, without it, the one that would run with this configuration. Its token is the
 * first of the API's tokens. Warnings about the configuration are the service's own to give.
 * @throws ConfigError as the service itself does
 */
export async function serviceAccess({ options: { service }, flags, env }: AccessInput): Promise<ServiceAccess> {
  if (service === undefined) {
    const { listen, tokens, log, sources } = await loadConfig({ flags, env });
    return { url: urlOf(listen), token: firstOf(tokens), log, sources };
  }
  const files: string[] = [];
  const read = readerOf((path) => readFile(path, "utf8"), ".", files);
  const tokens = await readTokens(API_TOKENS, flags, env, read, () => {});
  const sources = { files, variables: [] };
  return { url: checkedUrl(service), token: firstOf(tokens), log: readLog(flags, env), sources };
}

/** The host and port of the service, as Deno's permissions have them. */
export function hostOf({ url }: ServiceAccess): string {
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
