/**
 * A recipe as its page in docs/recipes has it: a configuration, commands, and what they print.
 *
 * The first `yaml` block is the configuration, which has one upstream. In `console` blocks a line that begins with `$ `
 * is a command, which goes on after a `\` or `|` at the end of a line; what follows it is its output.
 */

import { parse } from "yaml";

export interface Recipe {
  /** The name of the page. */
  readonly name: string;
  /** The name of the upstream, which no other page may use. */
  readonly upstream: string;
  readonly settings: Readonly<Record<string, unknown>> & { readonly url: string };
  readonly steps: readonly RecipeStep[];
}

export interface RecipeStep {
  readonly command: string;
  /** In each line `…` stands for any text. */
  readonly output: string;
}

/** The place of the service in the commands. */
const SERVICE = "http://127.0.0.1:8787";

/** Stands for what differs from run to run. */
const ANYTHING = "…";

export function parseRecipe(name: string, page: string): Recipe {
  const [configuration] = blocksOf(page, "yaml");
  if (configuration === undefined) throw new Error(`${name}: it has no block of yaml`);
  const { upstreams, ...rest } = parse(configuration) as { readonly upstreams?: Record<string, Recipe["settings"]> };
  const [entry, ...more] = Object.entries(upstreams ?? {});
  if (!entry || more.length > 0 || Object.keys(rest).length > 0)
    throw new Error(`${name}: its configuration must have one upstream, and nothing else`);
  const [upstream, settings] = entry;
  const steps = blocksOf(page, "console").flatMap((block) => stepsIn(name, block));
  return { name, upstream, settings, steps };
}

function blocksOf(page: string, language: string): string[] {
  const blocks = page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap(([, of, text = ""]) => (of === language ? [text] : []));
}

function stepsIn(name: string, block: string): RecipeStep[] {
  const steps: { command: string; output: string }[] = [];
  let goesOn = false;
  for (const line of block.split("\n").slice(0, -1)) {
    const last = steps.at(-1);
    if (goesOn && last) last.command += `\n${line}`;
    else if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: "" });
    else if (last) last.output += `${line}\n`;
    else throw new Error(`${name}: output before the first command: ${line}`);
    goesOn = (goesOn || line.startsWith("$ ")) && /[\\|]$/.test(line);
  }
  return steps;
}

/** One program of the shell for all commands, so that a variable of one is there for the next. */
export function programOf({ steps }: Recipe, service: string, end: string): string {
  return steps.map(({ command }) => `${command.replaceAll(SERVICE, service)}\nprintf '${end}'\n`).join("");
}

/** Returns the fault of an output, for people; undefined if it is the page's. */
export function faultOf(step: RecipeStep, actual: string): string | undefined {
  if (step.output.split(ANYTHING).join("").trim() === "" && step.output !== "")
    return `the page says nothing of what this prints:\n${step.command}`;
  const pattern = step.output.trimEnd().split(ANYTHING).map(escaped).join("[^\\n]*?");
  if (new RegExp(`^${pattern}$`).test(actual.trimEnd())) return undefined;
  return `the page does not have what this prints:\n${step.command}\n--- page\n${step.output}--- printed\n${actual}`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The variables that a configuration names. */
export function variablesIn({ settings }: Recipe): string[] {
  return Array.from(JSON.stringify(settings).matchAll(/(?<!\$)\$\{(\w+)\}/g), ([, name = ""]) => name);
}

/**
 * The settings with another server in the upstream's place: scheme, host and port are those of `url`, and so is its
 * path, if it has one. A module of credentials is replaced, because it would call somebody.
 */
export function reaching({ settings }: Recipe, url: string, credentials: string): Recipe["settings"] {
  const { origin, path } = split(url);
  return {
    ...settings,
    url: origin + (path === "/" || path === "" ? split(settings.url).path : path),
    ...(settings.credentials !== undefined && { credentials }),
  };
}

function split(url: string): { readonly origin: string; readonly path: string } {
  const [, origin = "", path = ""] = /^(wss?:\/\/[^/?]+)(.*)$/.exec(url) ?? [];
  return { origin, path };
}
