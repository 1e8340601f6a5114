/** The grammar of placeholders in the texts of a configuration, the only place that knows it. */

/**
 * Placeholders are resolved at two moments. Reading the configuration puts in variables and turns `$${` into a literal
 * `${`. Files and credentials are resolved by every connection attempt, so that a secret can change without a restart;
 * until then a literal `${file:` or `${credentials:` keeps its escape.
 */
export type Token =
  | { readonly kind: "text" | "malformed"; readonly source: string }
  /** `$${`. `deferred`: what follows would make it a placeholder for a connection attempt. */
  | { readonly kind: "escape"; readonly source: string; readonly deferred: boolean }
  /** `${NAME}`: an environment variable. */
  | { readonly kind: "variable"; readonly source: string; readonly name: string }
  /** `${file:/path}`, the text of a file, or `${credentials:name}`, a text that the user's own module returns. */
  | { readonly kind: DeferredKind; readonly source: string; readonly name: string };

type DeferredKind = "file" | "credentials";

const PLACEHOLDER = String.raw`\$\{(?:(?<kind>file|credentials):(?<of>[^}]*)|(?<variable>[A-Za-z_]\w*))\}`;
const DEFERRED_NEXT = "(?=(?:file|credentials):)";
const ESCAPE = String.raw`(?<deferred>\$\$\{${DEFERRED_NEXT})|(?<escaped>\$\$\{)`;
const GRAMMAR = new RegExp(String.raw`${ESCAPE}|${PLACEHOLDER}|\$\{`, "g");
const DEFERRED_START = new RegExp(String.raw`\$\{${DEFERRED_NEXT}`, "g");

/** Matches any text that has a placeholder, escaped or not: for a JSON Schema, which knows no named groups. */
export const PLACEHOLDER_PATTERN = PLACEHOLDER.replaceAll(/\?<\w+>/g, "?:");

/** Splits a text into tokens whose sources add up to it. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const { 0: source, index, groups = {} } of text.matchAll(GRAMMAR)) {
    if (index > end) tokens.push({ kind: "text", source: text.slice(end, index) });
    end = index + source.length;
    const { kind, of: name = "", variable, escaped, deferred } = groups;
    if (kind === "file" || kind === "credentials") tokens.push({ kind, source, name });
    else if (variable !== undefined) tokens.push({ kind: "variable", source, name: variable });
    else if (deferred ?? escaped) tokens.push({ kind: "escape", source, deferred: deferred !== undefined });
    else tokens.push({ kind: "malformed", source });
  }
  if (end < text.length) tokens.push({ kind: "text", source: text.slice(end) });
  return tokens;
}

/** Escapes a literal text, so that no part of it is resolved by a connection attempt. */
export function escapeDeferred(literal: string): string {
  return literal.replace(DEFERRED_START, (start) => `$${start}`);
}

/** The placeholders that a connection attempt must resolve. */
export interface UsedPlaceholders {
  /** Paths. */
  readonly files: ReadonlySet<string>;
  /** True if the user's module is needed. */
  readonly credentials: boolean;
  /** True if a literal `${file:` or `${credentials:` still has its escape. */
  readonly escapes: boolean;
}

/** @param value any JSON value; its texts are searched, its keys are not */
export function placeholdersIn(value: unknown): UsedPlaceholders {
  const files = new Set<string>();
  let credentials = false;
  let escapes = false;
  mapTexts(value, (text) => {
    for (const token of tokenize(text)) {
      if (token.kind === "file") files.add(token.name);
      if (token.kind === "credentials") credentials = true;
      if (token.kind === "escape") escapes ||= token.deferred;
    }
    return text;
  });
  return { files, credentials, escapes };
}

/** Resolves the placeholders of a connection attempt in all texts of a value. A resolved text is not searched again. */
export function fillPlaceholders<Value>(value: Value, resolve: (kind: DeferredKind, name: string) => string): Value {
  const fill = (token: Token): string => {
    if (token.kind === "file" || token.kind === "credentials") return resolve(token.kind, token.name);
    return token.kind === "escape" && token.deferred ? "${" : token.source;
  };
  return mapTexts(value, (text) => tokenize(text).map(fill).join("")) as Value;
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
