/**
 * Values that are worked out for every attempt anew, so that a secret can change without a restart: `${file:/path}`,
 * the text of a file, and `${credentials:name}`, what the user's own module gave under this name. `$${file:` is the
 * text itself. What comes from the environment was put in when the configuration was read.
 */
const LATE = /\$\$\{(?=(?:file|credentials):)|\$\{(file|credentials):([^}]*)\}/g;

type PlaceholderKind = "file" | "credentials";

/** What the texts inside a value ask for. */
export interface UsedPlaceholders {
  /** Paths. */
  readonly files: ReadonlySet<string>;
  /** Whether the user's module is needed. */
  readonly credentials: boolean;
}

/** @param value any JSON value; only its texts can ask */
export function placeholdersIn(value: unknown): UsedPlaceholders {
  const files = new Set<string>();
  let credentials = false;
  mapTexts(value, (text) => {
    for (const [, kind, name = ""] of text.matchAll(LATE)) {
      if (kind === "file") files.add(name);
      if (kind === "credentials") credentials = true;
    }
    return text;
  });
  return { files, credentials };
}

/** The value with every text filled in. A text that was put in is not searched again. */
export function filledIn<Value>(value: Value, find: (kind: PlaceholderKind, name: string) => string): Value {
  return mapTexts(value, (text) =>
    text.replace(LATE, (_, kind: PlaceholderKind | undefined, name: string) =>
      kind === undefined ? "${" : find(kind, name),
    ),
  ) as Value;
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
