/** The secrets in the settings of an upstream, and texts without them. */

/** Settings of presets that hold secrets. */
const PRESET_SECRETS = ["token", "payload", "password"];

interface SecretSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly subprotocols: readonly string[];
  readonly greeting: readonly object[];
  readonly protocol: string | object;
}

/** Shorter values are words such as `auth`, which a text may have for any reason. */
const SECRET_CHARACTERS = 6;

/** Replaces every value in `text` that may be a secret: of headers, URL, subprotocols, greeting and preset. */
export function withoutSecrets(text: string, settings: SecretSettings): string {
  const secrets = [...new Set(secretsOf(settings))].filter(({ length }) => length >= SECRET_CHARACTERS);
  // The longest first: one may be a part of another.
  return secrets.sort((a, b) => b.length - a.length).reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}

function* secretsOf({ url, headers, subprotocols, greeting, protocol }: SecretSettings): Generator<string, void> {
  for (const value of [...Object.values(headers), ...subprotocols]) yield* [value, ...value.split(/[\s,;=]+/)];
  if (URL.canParse(url)) {
    const { username, password, pathname, searchParams } = new URL(url);
    yield* [username, password, ...pathname.split("/"), ...searchParams.values()].flatMap(spellings);
  }
  for (const step of greeting) if ("send" in step) yield* textsIn(step.send);
  if (typeof protocol === "object") {
    for (const [key, value] of Object.entries(protocol)) {
      if (PRESET_SECRETS.includes(key)) yield* textsIn(value);
    }
  }
}

function spellings(value: string): string[] {
  try {
    return [value, decodeURIComponent(value), encodeURIComponent(value)];
  } catch {
    return [value, encodeURIComponent(value)];
  }
}

/** The texts in a JSON value, without the keys of its objects. */
function* textsIn(value: unknown): Generator<string, void> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const one of Object.values(value)) yield* textsIn(one);
}
