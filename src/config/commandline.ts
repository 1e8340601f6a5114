/** The command line and its environment variables: one table for parsing, reading and the help text. */

import { parseArgs } from "node:util";
import { presetNames } from "../protocols/presets.ts";
import {
  COMMAND_OPTIONS,
  COMMANDS,
  type CommandName,
  type CommandOptions,
  commandNames,
  commandOptionsHelp,
  misplacedOption,
} from "./command-options.ts";
import type { Environment } from "./environment.ts";
import { readVariable } from "./environment.ts";
import { ConfigError } from "./problems.ts";
import { closest } from "./suggestions.ts";

/** An option. With `multiple` it is repeatable, and its variable holds several values split at `separator`. */
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
    help: "ws:// or wss:// URL of the upstream named default",
  },
  protocol: {
    type: "string",
    env: "SIDESOCKET_PROTOCOL",
    hint: "NAME",
    help: `its protocol: ${presetNames.join(", ").replace("json-rpc", "json-rpc (default)")}, or the path of a module`,
  },
  config: {
    type: "string",
    env: "SIDESOCKET_CONFIG",
    hint: "FILE",
    help: "YAML or JSON file that can hold every setting",
  },
  "upstream-header": {
    type: "string",
    env: "SIDESOCKET_UPSTREAM_HEADER",
    hint: '"Name: value"',
    help: "header sent to the upstream when connecting; repeatable; ${ENV} is replaced",
    multiple: true,
    separator: "\n",
  },
  subprotocol: {
    type: "string",
    env: "SIDESOCKET_SUBPROTOCOL",
    hint: "NAME",
    help: "subprotocol offered when connecting; repeatable; ${ENV} is replaced",
    multiple: true,
    separator: ",",
  },
  host: { type: "string", env: "SIDESOCKET_HOST", hint: "HOST", help: "address that the API listens on (127.0.0.1)" },
  port: { type: "string", env: "PORT", hint: "PORT", help: "port that the API listens on (8787); 0 picks a free one" },
  "listen-path": {
    type: "string",
    env: "SIDESOCKET_LISTEN_PATH",
    hint: "FILE",
    help: "Unix socket that the API listens on, instead of host and port",
  },
  cluster: {
    type: "string",
    env: "SIDESOCKET_CLUSTER_SERVERS",
    hint: "URL",
    help: "NATS server through which replicas share their upstreams; repeatable",
    multiple: true,
    separator: ",",
  },
  "cluster-name": {
    type: "string",
    env: "SIDESOCKET_CLUSTER_NAME",
    hint: "NAME",
    help: "name of the cluster (default)",
  },
  "cluster-credentials-file": {
    type: "string",
    env: "SIDESOCKET_CLUSTER_CREDENTIALS_FILE",
    hint: "FILE",
    help: "credentials of the NATS account, or an nkey's seed",
  },
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
    help: "bearer tokens of /shutdown (or SIDESOCKET_SHUTDOWN_TOKEN); by default those of the API",
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

const SWITCHES = {
  insecure: { type: "boolean", help: "allow a non-loopback host without a token" },
  "config-schema": { type: "boolean", help: "print the JSON Schema of the configuration file" },
  help: { type: "boolean", short: "h", help: "print this help" },
  version: { type: "boolean", help: "print the version" },
} as const;

const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

/** An option as people see it. */
export interface OptionLine {
  readonly name: string;
  /** The kind of its value; undefined for a switch. */
  readonly hint?: string;
  readonly help: string;
  /** The commands that take it; undefined if all do. */
  readonly of?: readonly string[];
}

/** All options, of every command. */
export const optionLines: readonly OptionLine[] = Object.entries<Omit<OptionLine, "name">>({
  ...SETTINGS,
  ...COMMAND_OPTIONS,
  ...SWITCHES,
}).map(([name, option]) => ({ ...option, name }));

/** All variables of ours. Deno must be allowed to read these, `YAML_VARIABLES`, and those that the file names. */
export const ENVIRONMENT_NAMES: readonly string[] = [
  ...Object.values(SETTINGS).map(({ env }) => env),
  "SIDESOCKET_TOKEN",
  "SIDESOCKET_SHUTDOWN_TOKEN",
];

export type SettingName = keyof typeof SETTINGS;

/** The given options by name, without the dashes. */
export type Flags = {
  readonly [Name in SettingName]?: string | readonly string[];
} & { readonly insecure?: boolean };

/** A parsed command line. `check-config` has its file in `flags.config`. */
export type Command =
  | { readonly command: "serve" | "check-config"; readonly flags: Flags }
  | DoctorCommand
  | CallCommand
  | ListenCommand
  | StatusCommand
  | RunCommand
  | RecordCommand
  | MockCommand
  | CheckProtocolCommand
  | ProbeCommand
  | ClusterSetupCommand
  | PresetsCommand
  | { readonly command: "completion"; readonly flags: Flags; readonly shell: Shell }
  | { readonly command: "help"; readonly of?: CommandName }
  | { readonly command: "version" | "config-schema" };

export interface CallCommand {
  readonly command: "call";
  readonly flags: Flags;
  readonly options: CommandOptions;
  /** The message itself, `-` to read it from standard input, or a method and its parameters. Never empty. */
  readonly words: readonly string[];
}

export interface ListenCommand {
  readonly command: "listen";
  readonly flags: Flags;
  readonly options: CommandOptions;
}

export interface StatusCommand {
  readonly command: "status";
  readonly flags: Flags;
  readonly options: CommandOptions;
}

export interface ClusterSetupCommand {
  readonly command: "cluster-setup";
  readonly flags: Flags;
  readonly options: CommandOptions;
}

export interface DoctorCommand {
  readonly command: "doctor";
  readonly flags: Flags;
}

export interface RunCommand {
  readonly command: "run";
  readonly flags: Flags;
  /** The path of the script. */
  readonly script: string;
  /** The arguments of the script. */
  readonly args: readonly string[];
}

export interface RecordCommand {
  readonly command: "record";
  readonly flags: Flags;
  readonly options: CommandOptions;
}

export interface MockCommand {
  readonly command: "mock";
  readonly flags: Flags;
  readonly options: CommandOptions;
  /** The path of the recording. */
  readonly file: string;
}

export interface PresetsCommand {
  readonly command: "presets";
  readonly flags: Flags;
  /** The preset whose configuration is asked for. */
  readonly preset: string | undefined;
}

export interface ProbeCommand {
  readonly command: "probe";
  readonly flags: Flags;
  readonly options: CommandOptions;
  /** The address of the upstream. */
  readonly url: string;
}

export interface CheckProtocolCommand {
  readonly command: "check-protocol";
  readonly flags: Flags;
  readonly options: CommandOptions;
  /** The path of the module. */
  readonly module: string;
}

/**
 * Parses the arguments (`process.argv.slice(2)`).
 * @throws ConfigError for an unknown option or command
 */
export function parseCommandLine(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  if (values.help === true) {
    const of = commandNames.find((name) => name === positionals[0]);
    return { command: "help", ...(of && { of }) };
  }
  for (const command of ["version", "config-schema"] as const) if (values[command] === true) return { command };

  const { help: _help, version: _version, "config-schema": _schema, ...given } = values;
  const { options, flags } = separate(given);
  const [first = "serve", ...rest] = positionals;
  if (/^(?:wss?:\/\/|ws\+unix:)/i.test(first)) {
    if (rest.length > 0 || flags.upstream !== undefined) throw usage("one address of one upstream, and options only");
    return checked({ command: "serve", flags: { ...flags, upstream: first } }, options);
  }
  const command = commandNames.find((name) => name === first);
  // A stray argument is not repeated: it can be part of a secret whose quotes were forgotten.
  if (command === undefined) {
    const close = closest(first, commandNames);
    throw usage(`unknown command${close ? `: did you mean ${close}?` : ""} (known: ${commandNames.join(", ")})`);
  }
  switch (command) {
    case "serve":
    case "doctor":
      if (rest.length > 0) throw usage(`${command} takes options only`);
      return checked({ command, flags }, options);
    case "call":
      if (rest.length === 0 || (rest.length > 1 && isWholeMessage(rest[0]))) {
        throw usage("call takes one message, - to read it from standard input, or a method with its parameters");
      }
      return checked({ command, flags, options, words: rest }, options);
    case "listen": {
      if (rest.length > 0) throw usage("listen takes options only");
      const { upstream, config } = flags;
      if (options.service !== undefined && (upstream ?? config) !== undefined) {
        throw usage("listen takes --service or, to connect by itself, --upstream or --config");
      }
      return checked({ command, flags, options }, options);
    }
    case "status":
    case "record":
    case "cluster-setup":
      if (rest.length > 0) throw usage(`${command} takes options only`);
      return checked({ command, flags, options }, options);
    case "run": {
      const [script, ...args] = rest;
      if (script === undefined) throw usage("run takes a script: sidesocket run [options] SCRIPT [-- its arguments]");
      return checked({ command, flags, script, args }, options);
    }
    case "presets": {
      const [preset, extra] = rest;
      if (extra !== undefined) throw usage("presets takes one name at most: sidesocket presets [NAME]");
      return checked({ command, flags, preset }, options);
    }
    case "probe": {
      const [url, extra] = rest;
      if (url === undefined || extra !== undefined || flags.upstream !== undefined || flags.config !== undefined)
        throw usage("probe takes one address: sidesocket probe URL");
      return checked({ command, flags, options, url }, options);
    }
    case "check-protocol": {
      const [module, extra] = rest;
      if (module === undefined || extra !== undefined)
        throw usage("check-protocol takes one module: sidesocket check-protocol MODULE --replay FILE");
      return checked({ command, flags, options, module }, options);
    }
    case "mock": {
      const [file, extra] = rest;
      if (file === undefined || extra !== undefined) throw usage("mock takes one file: sidesocket mock RECORDING");
      return checked({ command, flags, options, file }, options);
    }
    case "completion": {
      const [name, extra] = rest;
      const shell = SHELLS.find((each) => each === name);
      if (shell === undefined || extra !== undefined) throw usage(`completion takes a shell: ${SHELLS.join(", ")}`);
      return checked({ command, flags, shell }, options);
    }
    case "check-config": {
      const [file, extra] = rest;
      if (file === undefined || extra !== undefined || flags.config !== undefined) {
        throw usage("check-config takes one file: sidesocket check-config FILE");
      }
      return checked({ command, flags: { ...flags, config: file } }, options);
    }
  }
}

/** True for an argument of `call` that is a message whatever the protocol: JSON, or `-` for standard input. */
export function isWholeMessage(word = ""): boolean {
  return word === "-" || /^\s*[{[]/.test(word);
}

type Parsed = Extract<Command, { readonly flags: Flags }>;

function checked<Checked extends Parsed>(parsed: Checked, options: CommandOptions): Checked {
  const misplaced = misplacedOption(options, parsed.command);
  if (misplaced !== undefined) throw usage(misplaced);
  return parsed;
}

/** Separates the options of commands from the settings. Versions of Node's types differ in what `parseArgs` returns. */
function separate(given: object): { readonly options: CommandOptions; readonly flags: Flags } {
  const isOption = ([name]: readonly [string, unknown]) => Object.hasOwn(COMMAND_OPTIONS, name);
  const all = Object.entries(given);
  return {
    options: Object.fromEntries(all.filter(isOption)),
    flags: Object.fromEntries(all.filter((each) => !isOption(each))),
  };
}

function parse(argv: readonly string[]) {
  const known = { ...SETTINGS, ...COMMAND_OPTIONS, ...SWITCHES };
  try {
    return parseArgs({ args: [...argv], options: known, allowPositionals: true, strict: true });
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split(/\. |\n/);
    if (/^Unknown option '-\d/.test(first))
      throw usage("a negative number stands after --, as every argument may", cause);
    const [, unknown = ""] = /^Unknown option '--([\w-]+)'/.exec(first) ?? [];
    const close = unknown && closest(unknown, Object.keys(known));
    throw usage(`${first.replace(/\.$/, "")}${close ? `: did you mean --${close}?` : ""}`, cause);
  }
}

function usage(what: string, cause?: unknown): ConfigError {
  return new ConfigError(`${what} (see --help)`, { cause });
}

/** A value and its source: `--port` or `PORT`. */
export interface Given {
  readonly value: string;
  readonly from: string;
}

/**
 * Reads one setting. If a flag is given, its variable is ignored.
 * @returns the values in order; an empty list if the setting is not given
 * @throws ConfigError if it is given but empty
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

/** Refuses an empty value: often a deployment forgot to fill a variable, and falling back would hide that. */
function notEmpty(given: Given): Given {
  if (given.value.trim() === "") throw new ConfigError(`${given.from}: is empty: set a value or leave it out`);
  return given;
}

/** The text of `--help`. */
export function helpText(): string {
  const settings = Object.entries(SETTINGS).map(
    ([name, { hint, env, help }]) => `  --${name} ${hint}\n      ${help} [${env}]`,
  );
  const switches = Object.entries(SWITCHES).map(([name, { help }]) => `  --${name}\n      ${help}`);
  return [
    "Call any WebSocket API as if it were HTTP.",
    "",
    ...Object.values(COMMANDS).map((usage, index) => `${index === 0 ? "usage:" : "      "} sidesocket ${usage}`),
    "       sidesocket ws://… [options]",
    "       sidesocket COMMAND --help",
    "",
    "Without an upstream it starts a demo. Flags win over [environment variables], which win over the file.",
    "",
    ...settings,
    ...commandOptionsHelp(),
    ...switches,
  ].join("\n");
}
