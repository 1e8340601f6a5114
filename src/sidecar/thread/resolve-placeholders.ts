/** Settings whose placeholders are resolved by each connection attempt. */

import { readFile } from "node:fs/promises";
import type { UpstreamSettings } from "../../config/schema.ts";
import { fillPlaceholders, placeholdersIn } from "../../placeholders.ts";

/** The reason why an attempt cannot be made, for people: it names files and modules, never their content. */
export class Unresolved extends Error {}

type ResolvableSettings = Pick<UpstreamSettings, "url" | "headers" | "greeting">;
export type ResolveSettings = (signal: AbortSignal) => Promise<UpstreamSettings>;

/** The characters outside `HEADER_VALUE`: values of files and modules were not checked with the configuration. */
const NOT_IN_A_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

/** @returns undefined if every attempt can use the settings as they are */
export function settingsResolver(name: string, settings: UpstreamSettings): ResolveSettings | undefined {
  const { url, headers, greeting, credentials, ca } = settings;
  const resolvable: ResolvableSettings = { url, headers, greeting };
  const used = placeholdersIn(resolvable);
  if (used.files.size === 0 && !used.credentials && !used.escapes && ca === undefined) return undefined;
  return async (signal) => {
    const values = used.credentials ? await callModule(credentials ?? "", { upstream: name, signal }) : {};
    const files = new Map<string, string>();
    for (const path of used.files) files.set(path, await textOf(path));
    const find = (kind: "file" | "credentials", key: string) => (kind === "file" ? files.get(key) : values[key]);
    const resolved = fillPlaceholders(resolvable, (kind, key) => find(kind, key) ?? missing(key));
    check(url, resolved);
    return { ...settings, ...resolved, ...(ca !== undefined && { ca: await textOf(ca) }) };
  };
}

function missing(name: string): never {
  throw new Unresolved(`the credentials module returned no string named ${name}`);
}

async function textOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Unresolved(`${path} cannot be read (${codeOf(error)})`);
  });
  if (text.trim() === "") throw new Unresolved(`${path} is empty`);
  return text.trim();
}

/** Calls the user's function. An error's message may hold a secret: only its name and code are reported. */
async function callModule(path: string, about: { readonly upstream: string; readonly signal: AbortSignal }) {
  const module = await import(path).catch((error: unknown) => {
    throw new Unresolved(`the credentials module cannot be loaded (${codeOf(error)})`);
  });
  const credentials: unknown = module.default;
  if (typeof credentials !== "function") {
    throw new Unresolved("the credentials module has no function as its default export");
  }
  let values: unknown;
  try {
    values = await credentials(about);
  } catch (error) {
    throw new Unresolved(`the credentials module failed (${codeOf(error)})`);
  }
  if (typeof values !== "object" || values === null) throw new Unresolved("the credentials module returned no object");
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === "string" && value !== ""));
}

/** Checks that no value leads the connection to another host or breaks out of its header. */
function check(configured: string, { url, headers }: ResolvableSettings): void {
  const hostOf = (text: string) => (URL.canParse(text) ? new URL(text).host : undefined);
  if (url.includes("#") || /\s/.test(url) || hostOf(url) !== hostOf(configured)) {
    throw new Unresolved("a resolved value is not allowed in the url");
  }
  const wrong = Object.entries(headers).find(([, value]) => NOT_IN_A_HEADER.test(value));
  if (wrong) throw new Unresolved(`a resolved value is not allowed in the header ${wrong[0]}`);
}

function codeOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  const parts = [name, code].filter((part) => typeof part === "string" && /^\w{1,64}$/.test(part));
  return parts.length === 0 ? "unknown reason" : parts.join(" ");
}
