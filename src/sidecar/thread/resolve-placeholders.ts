/** Settings whose placeholders are resolved by each connection attempt. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { filledHandshake } from "../../core/connection/captured-texts.ts";
import type { CapturedScalars } from "../../core/connection/captured-values.ts";
import { ATTEMPT, type DeferredKind, fillPlaceholders, placeholdersIn } from "../../secrets/placeholders.ts";
import { checkResolved, codeOf, readSecretFile, Unresolved } from "../../secrets/secret-file.ts";
import { outgoingOf, secretsOf } from "../../secrets/secrets.ts";
import { readTlsFiles, TLS_FILES } from "../../secrets/tls-files.ts";
import { configuredName } from "../instance-name.ts";
import { stackOnly } from "./module-reports.ts";

/** The settings of one attempt. Captured values are put in only when a text goes out. */
export interface Resolved {
  readonly settings: UpstreamSettings;
  /** The address and the headers to connect with, where they differ from those of the settings. */
  readonly handshake?: Pick<UpstreamSettings, "url" | "headers"> | undefined;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  /** Resolves the files and credentials in a value that comes from the configuration. */
  fill<Value>(value: Value): Value;
  /** Resolves one of them. */
  resolve(kind: DeferredKind, name: string): string;
}

/** The start of an attempt: the values that were kept, and the address that the upstream has named, if any. */
export interface AttemptBase {
  readonly values: CapturedScalars;
  readonly named: string | undefined;
}

export type ResolveSettings = (signal: AbortSignal, base: AttemptBase) => Promise<Resolved>;

/** Settings that need no resolving. */
export function asTheyAre(settings: UpstreamSettings): Resolved {
  return { settings, secrets: secretsOf(settings), fill: (value) => value, resolve: (_, name) => missing(name) };
}

/** @returns undefined if every attempt can use the settings as they are */
export function settingsResolver(
  name: string,
  settings: UpstreamSettings,
  threw: Threw = () => {},
): ResolveSettings | undefined {
  const { url, credentials, ca, tls } = settings;
  const hasFiles = ca !== undefined || TLS_FILES.some((setting) => tls[setting] !== undefined);
  const outgoing = outgoingOf(settings);
  const used = placeholdersIn(outgoing);
  const captured = placeholdersIn([url, settings.headers]).captured;
  const isPlain = used.files.size === 0 && !used.credentials && !used.escapes && captured.size === 0;
  if (isPlain && !hasFiles) return undefined;
  const upstream = configuredName(name);
  return async (signal, { values: kept, named }) => {
    const values = used.credentials ? await callModule(credentials ?? "", { upstream, signal }, threw) : {};
    const files = new Map<string, string>();
    for (const path of used.files) files.set(path, await readSecretFile(path));
    const find = (kind: DeferredKind, key: string) => (kind === "file" ? files.get(key) : values[key]);
    const resolve = (kind: DeferredKind, key: string) => find(kind, key) ?? missing(key);
    const fill = <Value>(value: Value) => fillPlaceholders(value, resolve, ATTEMPT);
    const filled = { ...settings, ...(fill(outgoing) as typeof settings) };
    const handshake = filledHandshake({ url: named ?? filled.url, headers: filled.headers }, kept);
    checkResolved(named ?? url, handshake);
    return {
      handshake,
      settings: { ...filled, tls: await readTlsFiles({ ...filled.tls, ca: tls.ca ?? ca }) },
      secrets: secretsOf(filled, [...files.values(), ...Object.values(values)]),
      fill,
      resolve,
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
