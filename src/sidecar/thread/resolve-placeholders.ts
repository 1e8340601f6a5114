import { readFile } from "node:fs/promises";
import type { UpstreamSettings } from "../../config/schema.ts";
import { fillPlaceholders, placeholdersIn } from "../../placeholders.ts";

/** Working out, for one attempt, what of an upstream's settings was left for that moment. */

/** In words for people. Names files and modules, never what is in them. */
export class Unresolved extends Error {}

type ResolvableSettings = Pick<UpstreamSettings, "url" | "headers" | "greeting">;
export type ResolveSettings = (signal: AbortSignal) => Promise<UpstreamSettings>;

/** The same as `HEADER_VALUE` for what was already checked: only what a file or a module may bring is new. */
const NOT_IN_A_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

/** @returns undefined when nothing was left: the settings are good as they are, for every attempt */
export function settingsResolver(name: string, settings: UpstreamSettings): ResolveSettings | undefined {
  const { url, headers, greeting, credentials, ca } = settings;
  const late: ResolvableSettings = { url, headers, greeting };
  const asked = placeholdersIn(late);
  if (asked.files.size === 0 && !asked.credentials && !asked.escapes && ca === undefined) return undefined;
  return async (signal) => {
    const given = asked.credentials ? await callModule(credentials ?? "", { upstream: name, signal }) : {};
    const files = new Map<string, string>();
    for (const path of asked.files) files.set(path, await textOf(path));
    const filled = fillPlaceholders(
      late,
      (kind, key) => (kind === "file" ? files.get(key) : given[key]) ?? missing(key),
    );
    check(url, filled);
    return { ...settings, ...filled, ...(ca !== undefined && { ca: await textOf(ca) }) };
  };
}

function missing(name: string): never {
  throw new Unresolved(`the credentials module gave no text named ${name}`);
}

async function textOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Unresolved(`${path} cannot be read (${codeOf(error)})`);
  });
  if (text.trim() === "") throw new Unresolved(`${path} is empty`);
  return text.trim();
}

/** The user's function. What it throws may hold a secret in its message: only its name and code are told. */
async function callModule(path: string, about: { readonly upstream: string; readonly signal: AbortSignal }) {
  const module = await import(path).catch((error: unknown) => {
    throw new Unresolved(`the credentials module cannot be loaded (${codeOf(error)})`);
  });
  const give: unknown = module.default;
  if (typeof give !== "function") throw new Unresolved("the credentials module has no function as its default export");
  let given: unknown;
  try {
    given = await give(about);
  } catch (error) {
    throw new Unresolved(`the credentials module failed (${codeOf(error)})`);
  }
  if (typeof given !== "object" || given === null) throw new Unresolved("the credentials module gave no object");
  return Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "string" && value !== ""));
}

/** No value may lead the connection elsewhere, or out of its header. */
function check(configured: string, { url, headers }: ResolvableSettings): void {
  const hostOf = (text: string) => (URL.canParse(text) ? new URL(text).host : undefined);
  if (url.includes("#") || /\s/.test(url) || hostOf(url) !== hostOf(configured)) {
    throw new Unresolved("a value does not fit into the url");
  }
  const wrong = Object.entries(headers).find(([, value]) => NOT_IN_A_HEADER.test(value));
  if (wrong) throw new Unresolved(`a value does not fit into the header ${wrong[0]}`);
}

function codeOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  const all = [name, code].filter((part) => typeof part === "string" && /^\w{1,64}$/.test(part));
  return all.length === 0 ? "unknown reason" : all.join(" ");
}
