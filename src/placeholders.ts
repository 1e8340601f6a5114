/** The grammar of placeholders in the texts of a configuration, the only place that knows it. */

/**
 * Placeholders are resolved at four moments. Reading the configuration puts in variables and turns `$${` into a
 * literal `${`. Parameters are put in when an instance is opened. Files and credentials are resolved by every
 * connection attempt, so that a secret can change without a restart.
 * Values that frames have brought are resolved when the text that has them goes out. Until then a literal start of a
 * placeholder of these kinds, such as `${file:`, keeps its escape.
 */
export type Token =
  | { readonly kind: "text" | "malformed"; readonly source: string }
  /** `$${`. `before`: the kind of placeholder that what follows would make it. */
  | { readonly kind: "escape"; readonly source: string; readonly before: DeferredKind | undefined }
  /** `${NAME}`: an environment variable. */
  | { readonly kind: "variable"; readonly source: string; readonly name: string }
  /**
   * `${param:name}`, which each instance has a value for; `${file:/path}`, the text of a file; `${credentials:name}`,
   * a text that the user's own module returns; or `${conn:name}`, a value that `capture` took out of a frame.
   */
  | DeferredToken;

interface DeferredToken {
  readonly kind: DeferredKind;
  readonly source: string;
  readonly name: string;
}

const DEFERRED_KINDS = ["param", "file", "credentials", "conn"] as const;

export type DeferredKind = (typeof DEFERRED_KINDS)[number];

const KIND = DEFERRED_KINDS.join("|");
const PLACEHOLDER = String.raw`\$\{(?:(?<kind>${KIND}):(?<of>[^}]*)|(?<variable>[A-Za-z_]\w*))\}`;
const ESCAPE = String.raw`\$\$\{(?=(?<before>${KIND}):)|(?<escaped>\$\$\{)`;
const GRAMMAR = new RegExp(String.raw`${ESCAPE}|${PLACEHOLDER}|\$\{`, "g");

/** Matches any text that has a placeholder, escaped or not: for a JSON Schema, which knows no named groups. */
export const PLACEHOLDER_PATTERN = PLACEHOLDER.replaceAll(/\?<\w+>/g, "?:");

/** Splits a text into tokens whose sources add up to it. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const { 0: source, index, groups = {} } of text.matchAll(GRAMMAR)) {
    if (index > end) tokens.push({ kind: "text", source: text.slice(end, index) });
    end = index + source.length;
    const { kind, of: name = "", variable, escaped, before } = groups;
    if (isDeferredKind(kind)) tokens.push({ kind, source, name });
    else if (variable !== undefined) tokens.push({ kind: "variable", source, name: variable });
    else if (isDeferredKind(before) || escaped !== undefined)
      tokens.push({ kind: "escape", source, before: isDeferredKind(before) ? before : undefined });
    else tokens.push({ kind: "malformed", source });
  }
  if (end < text.length) tokens.push({ kind: "text", source: text.slice(end) });
  return tokens;
}

/** The placeholder of a value that frames bring, as the configuration has it. */
export function capturedPlaceholder(name: string): string {
  return `\${conn:${name}}`;
}

/** Matches such a placeholder, whose name is the first group, and nothing else. */
export const CAPTURED_PATTERN = String.raw`\$\{conn:([^}]*)\}`;

/** The type of texts that begin with such a placeholder. */
export type CapturedStart = `\${conn:${string}}`;

function isDeferredKind(kind: string | undefined): kind is DeferredKind {
  return DEFERRED_KINDS.some((known) => known === kind);
}

export function isDeferred(token: Token): token is DeferredToken {
  return isDeferredKind(token.kind);
}

/** Escapes a literal text, so that no part of it is taken for a placeholder of these kinds. */
export function escapeDeferred(literal: string, kinds: readonly DeferredKind[] = DEFERRED_KINDS): string {
  if (kinds.length === 0) return literal;
  return literal.replace(new RegExp(String.raw`\$\{(?=(?:${kinds.join("|")}):)`, "g"), (start) => `$${start}`);
}

/** The placeholders that are left in texts once the configuration was read. */
export interface UsedPlaceholders {
  /** Paths. */
  readonly files: ReadonlySet<string>;
  /** True if the user's module is needed. */
  readonly credentials: boolean;
  /** Names of values that frames bring. */
  readonly captured: ReadonlySet<string>;
  /** True if the literal start of a placeholder still has its escape. */
  readonly escapes: boolean;
}

/** @param value any JSON value; its texts are searched, its keys are not */
export function placeholdersIn(value: unknown): UsedPlaceholders {
  const files = new Set<string>();
  const captured = new Set<string>();
  let credentials = false;
  let escapes = false;
  mapTexts(value, (text) => {
    for (const token of tokenize(text)) {
      if (token.kind === "file") files.add(token.name);
      if (token.kind === "conn") captured.add(token.name);
      if (token.kind === "credentials") credentials = true;
      if (token.kind === "escape") escapes ||= token.before !== undefined;
    }
    return text;
  });
  return { files, credentials, captured, escapes };
}

type Resolve = (kind: DeferredKind, name: string) => string;

/**
 * Resolves the placeholders in all texts of a value. A resolved text is not searched again.
 * @param later kinds that are resolved by another call: their placeholders and escapes stay
 */
export function fillPlaceholders<Value>(value: Value, resolve: Resolve, later: readonly DeferredKind[] = []): Value {
  return mapTexts(value, (text) => fillText(text, resolve, later)) as Value;
}

/** Does the same for one text. */
export function fillText(text: string, resolve: Resolve, later: readonly DeferredKind[] = []): string {
  const fill = (token: Token): string => {
    if (isDeferred(token) && !later.includes(token.kind)) return escapeDeferred(resolve(token.kind, token.name), later);
    const isMet = token.kind === "escape" && token.before !== undefined && !later.includes(token.before);
    return isMet ? "${" : token.source;
  };
  return tokenize(text).map(fill).join("");
}

/** The names of the parameters in all texts of a value. */
export function paramsIn(value: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  mapTexts(value, (text) => {
    for (const token of tokenize(text)) if (token.kind === "param") names.add(token.name);
    return text;
  });
  return names;
}

/** Thrown for a parameter whose `$` would make the placeholder behind it a literal one. */
export class EscapingParam extends Error {
  override readonly name = "EscapingParam";

  constructor(kind: DeferredKind) {
    super(`a value that ends with $ cannot stand before \${${kind}:…}`);
  }
}

/**
 * Puts parameters into all texts of a value. No attempt takes them for placeholders, not even together with the text
 * around them, and they take the meaning of no placeholder away.
 * @throws EscapingParam
 */
export function fillParams<Value>(value: Value, find: (name: string) => string): Value {
  return mapTexts(value, (text) => {
    let filled = "";
    let literal = "";
    for (const token of tokenize(text)) {
      if (token.kind === "param") literal += find(token.name);
      else if (isDeferred(token)) {
        if (literal.endsWith("$")) throw new EscapingParam(token.kind);
        filled += escapeDeferred(literal) + token.source;
        literal = "";
      } else literal += token.kind === "escape" && token.before !== undefined ? "${" : token.source;
    }
    return filled + escapeDeferred(literal);
  }) as Value;
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
