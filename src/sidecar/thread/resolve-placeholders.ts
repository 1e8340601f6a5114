/** Settings whose placeholders are resolved by each connection attempt. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { fillPlaceholders, placeholdersIn } from "../../placeholders.ts";
import { checkResolved, codeOf, readSecretFile, Unresolved } from "../../secret-file.ts";
import { outgoingOf, secretsOf } from "../../secrets.ts";
import { stackOnly } from "./module-reports.ts";

/** The settings of one attempt. */
export interface Resolved {
  readonly settings: UpstreamSettings;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** Resolves the placeholders of a value that comes from the configuration. */
  fill<Value>(value: Value): Value;
}

export type ResolveSettings = (signal: AbortSignal) => Promise<Resolved>;

/** Settings that need no resolving. */
export function asTheyAre(settings: UpstreamSettings): Resolved {
  return { settings, secrets: secretsOf(settings), fill: (value) => value };
}

/** @returns undefined if every attempt can use the settings as they are */
export function settingsResolver(
  name: string,
  settings: UpstreamSettings,
  threw: Threw = () => {},
): ResolveSettings | undefined {
  const { url, credentials, ca } = settings;
  const outgoing = outgoingOf(settings);
  const used = placeholdersIn(outgoing);
  if (used.files.size === 0 && !used.credentials && !used.escapes && ca === undefined) return undefined;
  return async (signal) => {
    const values = used.credentials ? await callModule(credentials ?? "", { upstream: name, signal }, threw) : {};
    const files = new Map<string, string>();
    for (const path of used.files) files.set(path, await readSecretFile(path));
    const find = (kind: "file" | "credentials", key: string) => (kind === "file" ? files.get(key) : values[key]);
    const fill = <Value>(value: Value) => fillPlaceholders(value, (kind, key) => find(kind, key) ?? missing(key));
    const filled = { ...settings, ...(fill(outgoing) as typeof settings) };
    checkResolved(url, filled);
    return {
      settings: { ...filled, ...(ca !== undefined && { ca: await readSecretFile(ca) }) },
      secrets: secretsOf(filled, [...files.values(), ...Object.values(values)]),
      fill,
    };
  };
}

function missing(name: string): never {
  throw new Unresolved(`the credentials module returned no string named ${name}`);
}

/** Reports an exception of a user's module to the log. */
type Threw = (what: string, error: unknown) => void;

/** Only the stack of a thrown value, without its message. */
function placesOf(error: unknown): { readonly stack: string } {
  const stack = error instanceof Error ? String(error.stack) : "";
  return { stack: stackOnly(stack) };
}

/** Calls the user's function. An error's message may hold a secret: callers learn only its name and code. */
async function callModule(
  path: string,
  about: { readonly upstream: string; readonly signal: AbortSignal },
  threw: Threw,
) {
  const module = await import(path).catch((error: unknown) => {
    threw("the credentials module cannot be loaded", placesOf(error));
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
    threw("the credentials module failed", placesOf(error));
    throw new Unresolved(`the credentials module failed (${codeOf(error)})`);
  }
  if (typeof values !== "object" || values === null) throw new Unresolved("the credentials module returned no object");
  const texts = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts.filter(([, value]) => value !== ""));
}
