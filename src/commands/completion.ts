/** The command `sidesocket completion`: scripts by which shells complete commands and options, made from our tables. */

import { type CommandName, commandNames } from "../config/command-options.ts";
import { type OptionLine, optionLines, type Shell } from "../config/commandline.ts";

/** Options with values of these kinds are completed by the names of files. */
const FILES = /\b(FILE|SCRIPT)\b/;

export function completion(shell: Shell): string {
  return scripts[shell]();
}

const scripts: Readonly<Record<Shell, () => string>> = { bash, zsh, fish };

function bash(): string {
  const cases = commandNames.map((command) => `    ${command}) options="${optionsOf(command).join(" ")}" ;;`);
  return [
    "_sidesocket() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" options',
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    `    *) options="${optionsOf("serve").join(" ")}" ;;`,
    "  esac",
    '  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))',
    `  elif [[ $COMP_CWORD -eq 1 ]]; then COMPREPLY=($(compgen -W "${commandNames.join(" ")}" -- "$word"))`,
    '  else COMPREPLY=($(compgen -f -- "$word")); fi',
    "}",
    "complete -o filenames -F _sidesocket sidesocket",
  ].join("\n");
}

function optionsOf(command: CommandName): string[] {
  return optionLines.filter(({ of }) => of === undefined || of.includes(command)).map(({ name }) => `--${name}`);
}

/** Zsh runs the script of bash, by what it has for that. */
function zsh(): string {
  return ["autoload -Uz compinit bashcompinit", "compinit -u", "bashcompinit", bash()].join("\n");
}

function fish(): string {
  const commands = commandNames.map((name) => `complete -c sidesocket -n __fish_use_subcommand -f -a ${name}`);
  return [...commands, ...optionLines.map(fishOption)].join("\n");
}

function fishOption({ name, hint, help, of }: OptionLine): string {
  const only = of ? ` -n '__fish_seen_subcommand_from ${of.join(" ")}'` : "";
  const value = hint === undefined ? "" : FILES.test(hint) ? " -r -F" : " -x";
  return `complete -c sidesocket${only} -l ${name}${value} -d '${help.replaceAll(/['\\]/g, "\\$&")}'`;
}
