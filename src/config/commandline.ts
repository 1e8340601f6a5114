/** The command line and its environment variables: one table, from which parsing, reading and the help text come. */

import { parseArgs } from "node:util";
import { presetNames } from "../protocols/presets.ts";
import type { Environment } from "./environment.ts";
import { readVariable } from "./environment.ts";
import { ConfigError } from "./problems.ts";

/** `multiple`: the option may be repeated, and the variable holds several values with `separator` between them. */
interface Option {
  readonly type: "string";
  readonly env: string;
  readonly hint: string;
  readonly help: string;
  readonly multiple?: boolean;
  readonly separator?: string;
}

const SETTINGS = {
  upstream: {
    type: "string",
    env: "SIDESOCKET_UPSTREAM_URL",
    hint: "URL",
    help: "ws:// or wss:// address of the upstream named default",
  },
  protocol: {
    type: "string",
    env: "SIDESOCKET_PROTOCOL",
    hint: "NAME",
    help: `its protocol: ${presetNames.join(", ").replace("json-rpc", "json-rpc (default)")}, or the path of a module`,
  },
  config: { type: "string", env: "SIDESOCKET_CONFIG", hint: "FILE", help: "YAML or JSON file with every setting" },
  "upstream-header": {
    type: "string",
    env: "SIDESOCKET_UPSTREAM_HEADER",
    hint: '"Name: value"',
    help: "sent when connecting; may be repeated; ${ENV} is replaced",
    multiple: true,
    separator: "\n",
  },
  subprotocol: {
    type: "string",
    env: "SIDESOCKET_SUBPROTOCOL",
    hint: "NAME",
    help: "offered when connecting; may be repeated; ${ENV} is replaced",
    multiple: true,
    separator: ",",
  },
  host: { type: "string", env: "SIDESOCKET_HOST", hint: "HOST", help: "where the API listens (127.0.0.1)" },
  port: { type: "string", env: "PORT", hint: "PORT", help: "its port (8787); 0 picks a free one" },
  "token-file": {
    type: "string",
    env: "SIDESOCKET_TOKEN_FILE",
    hint: "FILE",
    help: "bearer tokens of the API, one per line (or SIDESOCKET_TOKEN)",
  },
  "shutdown-token-file": {
    type: "string",
    env: "SIDESOCKET_SHUTDOWN_TOKEN_FILE",
    hint: "FILE",
    help: "bearer tokens of /shutdown, else those of the API (or SIDESOCKET_SHUTDOWN_TOKEN)",
  },
  "log-level": {
    type: "string",
    env: "SIDESOCKET_LOG_LEVEL",
    hint: "LEVEL",
    help: "trace, debug, info (default), warning, error, fatal",
  },
  "log-format": {
    type: "string",
    env: "SIDESOCKET_LOG_FORMAT",
    hint: "FORMAT",
    help: "pretty or json (default: pretty on a terminal)",
  },
} as const satisfies Record<string, Option>;

/** Of `call` alone; they have no variables. */
const CALL_OPTIONS = {
  timeout: { type: "string", hint: "TIME", help: "how long call waits for its reply: 10, 2.5s, 500ms (25s)" },
  pick: { type: "string", hint: "POINTER", help: "what call prints of its reply: a JSON pointer such as /result" },
} as const;

const SWITCHES = {
  insecure: { type: "boolean", help: "allow a host that is not loopback without a token" },
  "config-schema": { type: "boolean", help: "print the JSON Schema of the file" },
  help: { type: "boolean", short: "h", help: "print this" },
  version: { type: "boolean", help: "print the version" },
} as const;

/** Every variable of ours. Deno's `--allow-env` lists these, `YAML_VARIABLES`, and those that the file names as `${…}`. */
export const ENVIRONMENT_NAMES: readonly string[] = [
  ...Object.values(SETTINGS).map(({ env }) => env),
  "SIDESOCKET_TOKEN",
  "SIDESOCKET_SHUTDOWN_TOKEN",
];

export type SettingName = keyof typeof SETTINGS;

/** The options that were given, by their names without the dashes. */
export type Flags = {
  readonly [Name in SettingName]?: string | readonly string[];
} & { readonly insecure?: boolean };

/** What the command line asks for. `check-config` has its file in `flags.config`. */
export type Command =
  | { readonly command: "serve" | "check-config"; readonly flags: Flags }
  | CallCommand
  | { readonly command: "help" | "version" | "config-schema" };

export interface CallCommand {
  readonly command: "call";
  readonly flags: Flags;
  /** `-`: it is read from standard input. */
  readonly message: string;
  readonly timeout?: string | undefined;
  readonly pick?: string | undefined;
}

/**
 * Parses the arguments (`process.argv.slice(2)`).
 * @throws ConfigError for an option or a command that does not exist
 */
export function parseCommandLine(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  for (const command of ["help", "version", "config-schema"] as const) if (values[command] === true) return { command };

  const { help: _help, version: _version, "config-schema": _schema, timeout, pick, ...flags } = values;
  const [command = "serve", ...rest] = positionals;
  if (command === "call") {
    const [message, extra] = rest;
    if (message === undefined || extra !== undefined) {
      throw usage("call takes one message, or - for standard input: sidesocket call '{…}' [options]");
    }
    return { command, flags, message, timeout, pick };
  }
  if (timeout !== undefined || pick !== undefined) throw usage("--timeout and --pick are options of call");
  if (command === "serve" && rest.length === 0) return { command, flags };
  if (command === "check-config") {
    const [file, extra] = rest;
    if (file === undefined || extra !== undefined || flags.config !== undefined) {
      throw usage("check-config takes one file: sidesocket check-config FILE");
    }
    return { command, flags: { ...flags, config: file } };
  }
  // Behind `serve`, a stray argument can be a secret whose quotes were forgotten; it is not repeated.
  throw usage(
    command === "serve" ? "serve takes options only" : "no such command: there are serve, call and check-config",
  );
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: { ...SETTINGS, ...CALL_OPTIONS, ...SWITCHES },
      allowPositionals: true,
      strict: true,
    });
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split(/\. |\n/);
    throw usage(first.replace(/\.$/, ""), cause);
  }
}

function usage(what: string, cause?: unknown): ConfigError {
  return new ConfigError(`${what} (see --help)`, { cause });
}

/** A value and where it was given: `--port` or `PORT`. */
export interface Given {
  readonly value: string;
  readonly from: string;
}

/**
 * Reads one setting: flags win over the environment, as a whole.
 * @returns the values in their order; none when it was not given
 * @throws ConfigError when it was given but empty
 */
export function readSetting(name: SettingName, flags: Flags, env: Environment): readonly Given[] {
  const flag = flags[name];
  const option: Option = SETTINGS[name];
  if (flag !== undefined) return [flag].flat().map((value) => notEmpty({ value, from: `--${name}` }));
  const text = readVariable(env, option.env);
  if (text === undefined) return [];
  const { value, from } = notEmpty({ value: text, from: option.env });
  const values = option.separator === undefined ? [value] : value.split(option.separator).map((part) => part.trim());
  return values.filter((part) => part !== "").map((part) => ({ value: part, from }));
}

/** An empty value is a mistake, often a variable that a deployment forgot to fill: falling back would hide it. */
function notEmpty(given: Given): Given {
  if (given.value.trim() === "") throw new ConfigError(`${given.from}: is empty; give it a value or leave it out`);
  return given;
}

/** The text of `--help`. */
export function helpText(): string {
  const settings = Object.entries(SETTINGS).map(
    ([name, { hint, env, help }]) => `  --${name} ${hint}\n      ${help} [${env}]`,
  );
  const ofCall = Object.entries(CALL_OPTIONS).map(([name, { hint, help }]) => `  --${name} ${hint}\n      ${help}`);
  const switches = Object.entries(SWITCHES).map(([name, { help }]) => `  --${name}\n      ${help}`);
  return [
    "Call any WebSocket API as if it were HTTP.",
    "",
    "usage: sidesocket [serve] [options]",
    "       sidesocket call MESSAGE [options]",
    "       sidesocket check-config FILE",
    "",
    "Without an upstream it starts a demo. Flags win over [environment variables], and these over the file.",
    "",
    ...settings,
    ...ofCall,
    ...switches,
  ].join("\n");
}
