/**
 * A page of the documents as its readers use it: the commands in its fences, and what each of them prints.
 *
 * In `console` fences a line that begins with `$ ` is a command, which goes on after a `\` or `|` at the end of a line;
 * what follows it is its output. A fence of `sh` holds one command, or several, whose output the page does not show. A
 * comment on the line before a fence directs the test:
 *
 *   <!-- not run: REASON -->        nothing of the fence is run
 *   <!-- with: NAME -->             its upstream is the one of this name in docs/recipes, instead of the demo
 *
 * A fence whose first lines name a file (`# feed.py`, `// call.php`) is that file, beside which the commands run.
 */

export interface PageStep {
  readonly line: number;
  readonly command: string;
  /** Undefined for a command whose output the page does not show. */
  readonly output: string | undefined;
  /** The recipe whose upstream stands in for the demo. */
  readonly upstream: string | undefined;
  /** The reason why it is not run. */
  readonly notRun: string | undefined;
}

export interface PageFile {
  readonly name: string;
  readonly text: string;
}

export interface Page {
  readonly steps: readonly PageStep[];
  readonly files: readonly PageFile[];
}

export interface Fence {
  /** The number of its first line. */
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  /** The line before it that is not empty. */
  readonly directive: string;
}

const SHELLS: ReadonlySet<string> = new Set(["console", "sh", "bash", "powershell"]);

/** The first line of a file's fence. */
const FILE_NAME = /^(?:#|\/\/|<!--|;) ([\w-]+(?:\.[\w-]+)+)(?: -->)?$/;

export function parsePage(text: string): Page {
  const steps: PageStep[] = [];
  const files: PageFile[] = [];
  for (const fence of fencesOf(text)) {
    if (SHELLS.has(fence.language)) steps.push(...stepsOf(fence));
    else files.push(...fileOf(fence));
  }
  return { steps, files };
}

export function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; language: string; lines: string[]; directive: string; indent: string } | undefined;
  let directive = "";
  for (const [index, line] of text.split("\n").entries()) {
    const [, indent = "", language = ""] = /^( *)```(\w*) *$/.exec(line) ?? [];
    if (open === undefined && /^ *```/.test(line)) open = { line: index + 2, language, lines: [], directive, indent };
    else if (open !== undefined && line === `${open.indent}\`\`\``) {
      fences.push(open);
      open = undefined;
      directive = "";
    } else if (open !== undefined)
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    else if (line.trim() !== "") directive = line.trim();
  }
  return fences;
}

function stepsOf({ line, language, lines, directive }: Fence): PageStep[] {
  const [, notRun] = /^<!-- not run: (.+) -->$/.exec(directive) ?? [];
  const [, upstream] = /^<!-- with: ([\w.-]+) -->$/.exec(directive) ?? [];
  const withoutShell = language === "powershell" ? "it is for PowerShell" : undefined;
  const isConsole = language === "console";
  const steps: { line: number; command: string; output: string | undefined }[] = [];
  let goesOn = false;
  for (const [index, text] of lines.entries()) {
    const last = steps.at(-1);
    const isCommand = isConsole ? text.startsWith("$ ") : text.trim() !== "" && !text.startsWith("#");
    if (goesOn && last) last.command += `\n${text}`;
    else if (isCommand)
      steps.push({ line: line + index, command: isConsole ? text.slice(2) : text, output: isConsole ? "" : undefined });
    else if (isConsole && last) last.output += `${text}\n`;
    else if (isConsole) throw new Error(`line ${line + index}: output before the first command: ${text}`);
    goesOn = (goesOn || isCommand) && /[\\|]$/.test(text);
  }
  return steps.map((step) => ({ ...step, upstream, notRun: notRun ?? withoutShell }));
}

function fileOf({ lines }: Fence): PageFile[] {
  const [, name] = lines.slice(0, 2).flatMap((line) => FILE_NAME.exec(line) ?? []);
  return name === undefined ? [] : [{ name, text: `${lines.join("\n")}\n` }];
}

/** Stands for any text of one line; alone on its line, for any lines. In a head of HTTP it also ends the lines that are looked for. */
const ANYTHING = "…";

/** The shapes of what differs from run to run: a value of the page stands for the one that is printed. */
const VARYING = [
  String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,
  "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
  String.raw`\bm[a-z0-9]{7,15}-\d+\b`,
  String.raw`(?<=\/v1\/requests\/)[\w-]{43}`,
  String.raw`(?<="ms":)\d+(?:\.\d+)?`,
] as const;

const ANY_VARYING = new RegExp(VARYING.map((shape) => `(${shape})`).join("|"), "g");

/** The values of the page so far, with those that were printed in their place. */
export type Values = ReadonlyMap<string, string>;

/** Puts the values that were printed into a text of the page. */
export function resolve(text: string, values: Values): string {
  return text.replace(ANY_VARYING, (value) => values.get(value) ?? value);
}

/** Compares an output of the page with what was printed: the values of the two, or the fault, for people. */
export function compare(output: string, printed: string, values: Values): Values | string {
  const names = new Map<string, string>();
  const lines = output.trimEnd().split("\n");
  const end = lines.indexOf(ANYTHING);
  const head = /^HTTP\/1/.test(output) && end > 0 ? lines.splice(1, end - 1) : [];
  const headers = head.map((line) => `(?=(?:.*\\n)*?${headerPattern(line, values, names)}\\n)`).join("");
  const body = lines.map((line) => (line === ANYTHING ? "(?:.*\\n)*?.*" : linePattern(line, values, names)));
  const pattern = body.join("\n").replace("\n", () => `\n${headers}`);
  const found = new RegExp(`^${pattern}$`).exec(printed.trimEnd());
  if (!found) return `--- page\n${output}--- printed\n${printed}`;
  const added = Array.from(names, ([value, name]) => [value, found.groups?.[name] ?? ""] as const);
  return new Map([...values, ...added]);
}

/** A line of the response's head, of which a page has some, in any order, with names in lower case. */
function headerPattern(line: string, values: Values, names: Map<string, string>): string {
  const [, name = "", value = ""] = /^([^:]*)(.*)$/.exec(line) ?? [];
  return name.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`) + linePattern(value, values, names);
}

function linePattern(line: string, values: Values, names: Map<string, string>): string {
  let pattern = "";
  let end = 0;
  for (const match of line.matchAll(ANY_VARYING)) {
    const [value, ...groups] = match;
    pattern += literal(line.slice(end, match.index));
    end = match.index + value.length;
    const known = values.get(value);
    const name = names.get(value);
    if (known !== undefined) pattern += literal(known);
    else if (name !== undefined) pattern += `\\k<${name}>`;
    else {
      const added = `v${names.size}`;
      names.set(value, added);
      const shape = VARYING[groups.findIndex((group) => group !== undefined)];
      pattern += `(?<${added}>${shape})`;
    }
  }
  return pattern + literal(line.slice(end));
}

function literal(text: string): string {
  const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return escaped.split(ANYTHING).join(".*?");
}
