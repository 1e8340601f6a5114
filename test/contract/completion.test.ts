/** `sidesocket completion` as a real process: bash completes with its script, and all scripts know all options. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandNames } from "../../src/config/command-options.ts";
import { optionLines } from "../../src/config/commandline.ts";
import { run } from "../support/child.ts";
import { runProduct } from "../support/product.ts";
import { root } from "../support/root.ts";

async function scriptOf(shell: string): Promise<string> {
  const ran = await runProduct(["completion", shell]);
  assert.deepEqual([ran.code, ran.stderr], [0, ""]);
  return ran.stdout;
}

test("bash completes commands, the options of the command, and files", async () => {
  const script = await scriptOf("bash");
  const complete = async (...words: string[]) => {
    const [command = "bash", ...args] = ["bash", "-c", `${script}\n${WORDS}`, "bash", ...words];
    return (await run({ command, args, cwd: root })).stdout.trim().split(" ");
  };
  assert.deepEqual(await complete("st"), ["status"]);
  assert.deepEqual(await complete("call", "--pi"), ["--pick"]);
  assert.deepEqual(await complete("serve", "--pi"), [""]);
  assert.deepEqual(await complete("--upstream-h"), ["--upstream-header"]);
  assert.deepEqual(await complete("serve", "--config", "CONTRIB"), ["CONTRIBUTING.md"]);
});

/** Completes the last of the arguments. */
const WORDS = `COMP_WORDS=(sidesocket "$@"); COMP_CWORD=$#; _sidesocket; echo $(printf '%s\\n' "\${COMPREPLY[@]}" | sort)`;

for (const shell of ["zsh", "fish"]) {
  test(`the script for ${shell} knows every command and every option`, async () => {
    const script = await scriptOf(shell);
    for (const { name } of optionLines) assert.match(script, new RegExp(`(--|-l )${name}\\b`));
    for (const name of commandNames) assert.match(script, new RegExp(`\\b${name}\\b`));
  });
}

test("fish completes the values of options that are files, and no other", async () => {
  const script = await scriptOf("fish");
  assert.match(script, /-l config -r -F /);
  assert.match(script, /-l port -x /);
});

test("another shell is exit code 2, with those that are known", async () => {
  const ran = await runProduct(["completion", "csh"]);
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /completion takes a shell: bash, zsh, fish/);
});
