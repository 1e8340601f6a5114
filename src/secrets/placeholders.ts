/** The grammar of placeholders in the texts of a configuration, the only place that knows it. */

/**
 * Placeholders are resolved at four moments. Reading the configuration puts in variables and turns `$${` into a
 * literal `${`. Parameters are put in when an instance is opened. Files and credentials are resolved by every
 * connection attempt, so that a secret can change without a restart. Values that frames have brought are resolved when
 * the text that has them goes out. Until then a literal start of a placeholder of these kinds, such as `${file:`, keeps
 * its escape.
 */
export type Token =
  | { readonly kind: "text" | "malformed"; readonly source: string }
  /** `$${`. `before`: the kind of placeholder that what follows would make it. */
  | { readonly kind: "escape"; readonly source: string; readonly before: DeferredKind | undefined }
  /** `${NAME}`: an environment variable. */
  | { readonly kind: "variable"; readonly source: string; readonly name: string }
  | QuotedToken
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

/**
 * `${file:$…}`, and so for each kind: a literal text that is resolved when that kind is. Nobody writes it: it stands
 * for what would not be literal as it is, such as a `$` before a placeholder.
 */
interface QuotedToken {
  readonly kind: "quoted";
  readonly source: string;
  readonly of: DeferredKind;
  readonly text: string;
}

export const DEFERRED_KINDS = ["param", "file", "credentials", "conn"] as const;

export type DeferredKind = (typeof DEFERRED_KINDS)[number];

const KIND = DEFERRED_KINDS.join("|");
const PLACEHOLDER = String.raw`\$\{(?:(?<kind>${KIND}):(?<of>[^}]*)|(?<variable>[A-Za-z_]\w*))\}`;

/** Matches any text that has a placeholder, escaped or not: for a JSON Schema, which knows no named groups. */
export const PLACEHOLDER_PATTERN = PLACEHOLDER.replaceAll(/\?<\w+>/g, "?:");

const GRAMMAR = grammarOf(DEFERRED_KINDS);

function grammarOf(kinds: readonly DeferredKind[]): RegExp {
  const any = kinds.join("|");
  const escaped = String.raw`\$\$\{(?=(?<before>${any}):)|(?<escaped>\$\$\{)`;
  return new RegExp(String.raw`${escaped}|${PLACEHOLDER.replace(KIND, any)}|\$\{`, "g");
}

/** The start of a quoted text, behind which it stands in the encoding of URLs. */
const QUOTE = "$";

function quoted(of: DeferredKind, text: string): string {
  return `\${${of}:${QUOTE}${encodeURIComponent(text)}}`;
}

/** Splits a text into tokens whose sources add up to it. */
export function tokenize(text: string, grammar = GRAMMAR): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const { 0: source, index, groups = {} } of text.matchAll(grammar)) {
    if (index > end) tokens.push({ kind: "text", source: text.slice(end, index) });
    end = index + source.length;
    const { kind, of: name = "", variable, escaped, before } = groups;
    if (isDeferredKind(kind)) {
      const literal = quotedIn(name);
      tokens.push(literal === undefined ? { kind, source, name } : { kind: "quoted", source, of: kind, text: literal });
    } else if (variable !== undefined) tokens.push({ kind: "variable", source, name: variable });
    else if (isDeferredKind(before) || escaped !== undefined)
      tokens.push({ kind: "escape", source, before: isDeferredKind(before) ? before : undefined });
    else tokens.push({ kind: "malformed", source });
  }
  if (end < text.length) tokens.push({ kind: "text", source: text.slice(end) });
  return tokens;
}

/** The kind that a text behind a `${` without meaning was to have, such as `con` of `con:token}`. */
export function kindBegun(behind: string): string | undefined {
  return /^([a-z]{1,16}):[^}]*\}/i.exec(behind)?.[1];
}

function quotedIn(name: string): string | undefined {
  if (!name.startsWith(QUOTE)) return undefined;
  try {
    return decodeURIComponent(name.slice(QUOTE.length));
  } catch {
    return undefined;
  }
}

/** The placeholder of an environment variable. */
export function variablePlaceholder(name: string): string {
  return `\${${name}}`;
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

/**
 * A text that is put together from literal parts and from the placeholders of later moments. However they meet, a
 * literal part is never taken for a placeholder, and a placeholder never for literal.
 */
export class PartlyFilled {
  readonly #later: readonly DeferredKind[];
  #text = "";
  #literal = "";

  constructor(later: readonly DeferredKind[] = DEFERRED_KINDS) {
    this.#later = later;
  }

  literal(text: string): void {
    this.#literal += text;
  }

  /** Adds a literal text of which no reader of templates sees a word, such as a `$NAME`. */
  hidden(text: string): void {
    const of = this.#later.at(-1);
    if (of === undefined) this.literal(text);
    else this.placeholder(of, quoted(of, text));
  }

  placeholder(kind: DeferredKind, source: string): void {
    const literal = escapeDeferred(this.#literal, this.#later);
    this.#text += literal.replace(/\$+$/, (dollars) => quoted(kind, dollars)) + source;
    this.#literal = "";
  }

  end(): string {
    return this.#text + escapeDeferred(this.#literal, this.#later);
  }
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

export type Resolve = (kind: DeferredKind, name: string) => string;

/** A moment at which placeholders of some kinds are resolved. */
export interface Moment {
  /** Its kinds first, those of later moments behind. What looks like one of an earlier moment is literal by now. */
  readonly grammar: RegExp;
  readonly later: readonly DeferredKind[];
}

function moment(now: readonly DeferredKind[], later: readonly DeferredKind[]): Moment {
  return { grammar: grammarOf([...now, ...later]), later };
}

const PARAMS = moment(["param"], ["file", "credentials", "conn"]);

/** A connection attempt. */
export const ATTEMPT = moment(["file", "credentials"], ["conn"]);

/** A text goes out over a connection. */
export const GOING_OUT = moment(["conn"], []);

/** A text goes out that no moment before has seen. */
export const ALL_AT_ONCE = moment(DEFERRED_KINDS, []);

/** Resolves the placeholders in all texts of a value. A resolved text is not searched again. */
export function fillPlaceholders<Value>(value: Value, resolve: Resolve, at: Moment): Value {
  return mapTexts(value, (text) => fillText(text, resolve, at)) as Value;
}

/**
 * Does the same for one text.
 * @param hides true if what is put in must not be read as a template
 */
export function fillText(text: string, resolve: Resolve, { grammar, later }: Moment, hides = false): string {
  const filled = new PartlyFilled(later);
  for (const token of tokenize(text, grammar)) {
    if (isDeferred(token)) {
      if (later.includes(token.kind)) filled.placeholder(token.kind, token.source);
      else if (hides) filled.hidden(resolve(token.kind, token.name));
      else filled.literal(resolve(token.kind, token.name));
    } else if (token.kind === "quoted") {
      if (later.includes(token.of)) filled.placeholder(token.of, token.source);
      else filled.literal(token.text);
    } else if (token.kind === "escape" && token.before !== undefined) filled.literal("${");
    else filled.literal(token.source);
  }
  return filled.end();
}

/** Makes quoted texts plain again: for a look at a value that does not go out. */
export function unquoted<Value>(value: Value): Value {
  const plain = (token: Token) => (token.kind === "quoted" ? token.text : token.source);
  return mapTexts(value, (text) => tokenize(text).map(plain).join("")) as Value;
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

/** Puts parameters into all texts of a value. `hides` as for `fillText`. */
export function fillParams<Value>(value: Value, find: (name: string) => string, hides = false): Value {
  return mapTexts(value, (text) => fillText(text, (_, name) => find(name), PARAMS, hides)) as Value;
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
