/** The help of each command: its examples are command lines that parse, and its page is there. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandHelp } from "../../src/config/command-help.ts";
import { commandNames } from "../../src/config/command-options.ts";
import { parseCommandLine } from "../../src/config/commandline.ts";
import { root } from "../support/root.ts";

/** The words of a command as a shell splits them, up to a pipe, a redirection or the end of a substitution. */
function wordsOf(example: string): string[] {
  const [, line = ""] = /sidesocket ([^|>)]*)/.exec(example) ?? [];
  return Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, bare]) => quoted ?? bare ?? "");
}

test("each command's help says what it is for, takes its own options, and has examples that parse", () => {
  for (const command of commandNames) {
    const help = commandHelp(command);
    assert.match(help, new RegExp(`^[A-Z].+\\.\\n\\nusage: sidesocket \\[?${command}`), command);
    const examples = help.split("examples:\n")[1]?.split("\n\n")[0]?.split("\n") ?? [];
    assert.ok(examples.length > 0, command);
    for (const example of examples) assert.equal(parseCommandLine(wordsOf(example)).command, command, example);
    const [, page = ""] = /^more: ([^#\n]+)/m.exec(help) ?? [];
    assert.ok(existsSync(join(root, page)), page);
  }
});

test("an option stands in the help of the commands that take it, and no other", () => {
  assert.match(commandHelp("call"), /^ {2}--pick POINTER\n {6}\S/m);
  assert.doesNotMatch(commandHelp("call"), /--cursor/);
  assert.match(commandHelp("listen"), /^ {2}--cursor FILE$/m);
});
