/** Secrets that the command line or the environment shows to other processes (threat T8). */

import { tokenize } from "../secrets/placeholders.ts";
import { isSecretName } from "../secrets/secrets.ts";
import type { Flags } from "./commandline.ts";
import { readSetting } from "./commandline.ts";
import type { Environment } from "./environment.ts";

/** Variables that are secrets themselves. */
const TOKENS = ["SIDESOCKET_TOKEN", "SIDESOCKET_SHUTDOWN_TOKEN"] as const;

/** @returns the flags that have a secret written out */
export function exposedFlags(flags: Flags): readonly string[] {
  return [...new Set(settingsWithSecrets(flags, {}))];
}

/**
 * @param named the variables that take part in secrets by `${NAME}`
 * @returns the variables that hold secrets
 */
export function exposedVariables(env: Environment, named: readonly string[]): readonly string[] {
  const set = [...TOKENS, ...named].filter((name) => env[name] !== undefined);
  return [...new Set([...set, ...settingsWithSecrets({}, env)])];
}

function settingsWithSecrets(flags: Flags, env: Environment): readonly string[] {
  const headers = readSetting("upstream-header", flags, env).filter(({ value }) => isSecretHeader(value));
  const urls = (["upstream", "cluster"] as const)
    .flatMap((name) => readSetting(name, flags, env))
    .filter(({ value }) => isSecretUrl(value));
  const subprotocols = readSetting("subprotocol", flags, env).filter(
    ({ value }) => isSecretName(value) && isWrittenOut(value),
  );
  return [...headers, ...urls, ...subprotocols].map(({ from }) => from);
}

function isSecretHeader(header: string): boolean {
  const [name = ""] = header.split(":", 1);
  return isSecretName(name) && isWrittenOut(header);
}

/** True if a text has no placeholder: one with a placeholder shows at most the scheme. */
function isWrittenOut(text: string): boolean {
  return tokenize(text).every(({ kind }) => kind === "text" || kind === "escape");
}

function isSecretUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, searchParams } = new URL(url);
  return username !== "" || password !== "" || [...searchParams.keys()].some(isSecretName);
}
