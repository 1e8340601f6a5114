/** Bearer tokens, read from a variable or a file: the command line is no place for them, because `ps` shows it. */

import { stat } from "node:fs/promises";
import process from "node:process";
import type { Flags, Given, SettingName } from "./commandline.ts";
import { readSetting } from "./commandline.ts";
import type { Environment } from "./environment.ts";
import { readVariable } from "./environment.ts";
import { ConfigError } from "./problems.ts";
import { BEARER_TOKEN } from "./wire.ts";

/** The shortest token, in characters: a shorter one can be guessed (threat T6). `openssl rand -hex 32` prints 64. */
const MIN_TOKEN_LENGTH = 32;

export interface TokenSource {
  readonly setting: Extract<SettingName, "token-file" | "shutdown-token-file">;
  readonly variable: "SIDESOCKET_TOKEN" | "SIDESOCKET_SHUTDOWN_TOKEN";
}

export const API_TOKENS: TokenSource = { setting: "token-file", variable: "SIDESOCKET_TOKEN" };
export const SHUTDOWN_TOKENS: TokenSource = { setting: "shutdown-token-file", variable: "SIDESOCKET_SHUTDOWN_TOKEN" };

/**
 * Reads the tokens of one kind, one per line: a token can be replaced while the old one still works.
 * @param warn called if every user of the machine can read the file
 * @returns an empty list if no source is given
 * @throws ConfigError if the source is ambiguous, cannot be read, is empty, or holds a weak token
 */
export async function readTokens(
  { setting, variable }: TokenSource,
  flags: Flags,
  env: Environment,
  read: (file: Given) => Promise<string>,
  warn: (warning: string) => void,
): Promise<readonly string[]> {
  const text = readVariable(env, variable);
  const [file] = readSetting(setting, flags, env);
  if (file !== undefined && text !== undefined && !file.from.startsWith("--")) {
    throw new ConfigError(`${variable}: is set together with ${file.from}: unset one of them`);
  }
  if (file === undefined) return text === undefined ? [] : split(text, variable);

  const content = await read(file);
  if (await isWorldReadable(file.value)) warn(`${file.from}: ${file.value} can be read by every user of this machine`);
  return split(content, `${file.from}: ${file.value}`);
}

/** The text of a token that has a name before it: `NAME:TOKEN`. */
function withoutName(token: string): string {
  return token.replace(/^[\w.-]{1,64}:/, "");
}

/** Good for a warning only: Kubernetes mounts secrets with mode 0644, and Windows has no such bits. */
export async function isWorldReadable(path: string): Promise<boolean> {
  if (process.platform === "win32") return false;
  try {
    return ((await stat(path)).mode & 0o004) !== 0;
  } catch {
    return false;
  }
}

function split(text: string, from: string): readonly string[] {
  const tokens = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (tokens.length === 0)
    throw new ConfigError(`${from}: is empty; a token of at least ${MIN_TOKEN_LENGTH} characters is required`);
  for (const line of tokens) {
    const token = withoutName(line);
    if (token.length < MIN_TOKEN_LENGTH) {
      throw new ConfigError(
        `${from}: has a token of ${token.length} characters; ` +
          `at least ${MIN_TOKEN_LENGTH} are required (openssl rand -hex 32)`,
      );
    }
    if (!BEARER_TOKEN.test(token)) {
      throw new ConfigError(
        `${from}: has a token with characters that no bearer token has (A-Z a-z 0-9 - . _ ~ + / =)`,
      );
    }
  }
  return [...new Set(tokens)];
}
