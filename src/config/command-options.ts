/** The commands, and the options that only some of them take: one table for parsing and for the help. */

/** The commands with their arguments, in the order of the help. */
export const COMMANDS = {
  serve: "[serve] [options]",
  call: "call MESSAGE | call METHOD [PARAMS…] [options]",
  listen: "listen [--service URL] [options]",
  status: "status [--service URL] [--json]",
  doctor: "doctor [options]",
  run: "run [options] SCRIPT [-- its arguments]",
  record: "record [options]",
  mock: "mock RECORDING [options]",
  presets: "presets [NAME]",
  probe: "probe URL [options]",
  "check-config": "check-config FILE",
  "check-protocol": "check-protocol MODULE --replay FILE",
  "cluster-setup": "cluster-setup [--rights] [options]",
  completion: "completion bash|zsh|fish",
} as const;

export type CommandName = keyof typeof COMMANDS;

export const commandNames = Object.keys(COMMANDS) as readonly CommandName[];

interface CommandOption {
  readonly type: "string" | "boolean";
  /** The commands that take it. */
  readonly of: readonly CommandName[];
  readonly hint?: string;
  readonly help: string;
  readonly multiple?: boolean;
}

/** They have no variables. */
export const COMMAND_OPTIONS = {
  to: {
    type: "string",
    of: ["call", "listen", "record"],
    hint: "NAME",
    help: "the upstream of the file or the service (default, or the only one)",
  },
  timeout: {
    type: "string",
    of: ["call"],
    hint: "TIME",
    help: "time to wait for the reply, such as 10, 2.5s or 500ms (25s)",
  },
  pick: {
    type: "string",
    of: ["call"],
    hint: "POINTER",
    help: "part of the reply to print, as a JSON pointer such as /result; repeatable, with a line for each",
    multiple: true,
  },
  service: {
    type: "string",
    of: ["listen", "status"],
    hint: "URL",
    help: "http:// or https:// address of a running service, or unix: and the path of its socket",
  },
  ca: {
    type: "string",
    of: ["listen", "status"],
    hint: "FILE",
    help: "PEM file with the certificates to trust for an https:// service instead of the default ones",
  },
  json: { type: "boolean", of: ["status"], help: "print the state as the API gives it" },
  after: {
    type: "string",
    of: ["listen"],
    hint: "CURSOR",
    help: "the message after which to begin, earliest (default) or latest",
  },
  where: {
    type: "string",
    of: ["listen"],
    hint: "POINTER[=VALUE]",
    help: "only messages with this value, such as /params/type=trade, or with any there (/result); repeatable",
    multiple: true,
  },
  subscription: { type: "string", of: ["listen"], hint: "ID", help: "only messages of this subscription" },
  limit: { type: "string", of: ["listen"], hint: "N", help: "end after so many messages" },
  for: { type: "string", of: ["record", "probe"], hint: "TIME", help: "end after this time, such as 30s or 5m" },
  bytes: { type: "string", of: ["record"], hint: "SIZE", help: "the largest recording, such as 1MiB (64MiB)" },
  speed: { type: "string", of: ["mock"], hint: "N", help: "divide the pauses of the recording by N (1)" },
  immediate: { type: "boolean", of: ["mock"], help: "make no pauses" },
  strict: { type: "boolean", of: ["mock"], help: "close a connection on which a frame comes that was not recorded" },
  ignore: {
    type: "string",
    of: ["mock"],
    hint: "POINTER",
    help: "compare frames without this place, such as /params/time; repeatable",
    multiple: true,
  },
  replay: {
    type: "string",
    of: ["check-protocol"],
    hint: "FILE",
    help: 'a recording, or lines such as {"event":"received","text":"…"}',
  },
  rights: { type: "boolean", of: ["cluster-setup"], help: "make nothing, and print the rights alone" },
  cursor: {
    type: "string",
    of: ["listen"],
    hint: "FILE",
    help: "keep the cursor of the last printed message in this file, and continue from it",
  },
} as const satisfies Record<string, CommandOption>;

export type CommandOptionName = keyof typeof COMMAND_OPTIONS;

type OptionValue<Spec> = Spec extends { readonly type: "boolean" }
  ? boolean
  : Spec extends { readonly multiple: true }
    ? readonly string[]
    : string;

/** The given options of a command by name, unchecked. */
export type CommandOptions = {
  readonly [Name in CommandOptionName]?: OptionValue<(typeof COMMAND_OPTIONS)[Name]> | undefined;
};

/** @returns the first of the options that the command does not take, with those that do */
export function misplacedOption(options: CommandOptions, command: CommandName): string | undefined {
  for (const [name, { of }] of Object.entries<CommandOption>(COMMAND_OPTIONS)) {
    if (options[name as CommandOptionName] === undefined || of.includes(command)) continue;
    return `--${name} is only for ${of.join(" and ")}`;
  }
  return undefined;
}

/** The lines of the help about these options. */
export function commandOptionsHelp(): readonly string[] {
  return Object.entries<CommandOption>(COMMAND_OPTIONS).map(
    ([name, { of, hint, help }]) =>
      `  --${name}${hint === undefined ? "" : ` ${hint}`}\n      ${of.join(", ")}: ${help}`,
  );
}
