/** The cookies that an upstream sets with its responses to the upgrade, by which balancers keep to one server. */

interface Cookie {
  /** Name and value, as they were set. */
  readonly pair: string;
  readonly path: string;
  readonly isSecure: boolean;
  /** When it ends, in milliseconds since 1970. */
  readonly until: number;
}

/** The most cookies that are kept, and the most characters of one. */
const COUNT_MAX = 16;
const LENGTH_MAX = 4_096;

/** A name and a value of RFC 6265, section 4.1.1, which a request can repeat as they are. */
const PAIR = /^[\w!#$%&'*+.^`|~-]+=[\x21-\x7e]*$/;

/** The end of a date that names its zone. A date of a cookie is in UTC, also where it names none (section 5.1.1). */
const ZONE = /(?:GMT|UTC|Z|[+-]\d{4})\s*$/i;

/** Each goes to the host alone that has set it, whatever its domain says. Times are arguments. */
export class UpgradeCookies {
  /** By host, name and path. */
  readonly #cookies = new Map<string, Cookie>();

  /** Takes the lines of `Set-Cookie` in a response to an upgrade at `url`. */
  take(url: string, lines: readonly string[], at: number): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
      if (pair.length > LENGTH_MAX || !PAIR.test(pair)) continue;
      const of = (name: string) => attributeOf(attributes, name);
      const given = of("path") ?? "";
      const { host, pathname } = new URL(url);
      const path = given.startsWith("/") ? given : folderOf(pathname);
      const key = `${host} ${pair.split("=", 1)[0]} ${path}`;
      this.#cookies.delete(key);
      const cookie = { pair, path, isSecure: of("secure") !== undefined, until: endOf(of, at) };
      if (cookie.until > at) this.#cookies.set(key, cookie);
    }
    for (const oldest of this.#cookies.keys()) {
      if (this.#cookies.size <= COUNT_MAX) break;
      this.#cookies.delete(oldest);
    }
  }

  /** The value of `Cookie` for an attempt; undefined without any. */
  headerFor(url: string, at: number): string | undefined {
    const { host, protocol, pathname } = new URL(url);
    const pairs = [...this.#cookies]
      .filter(([key, { path, isSecure, until }]) => {
        const isMeant = key.startsWith(`${host} `) && isBelow(pathname, path);
        return isMeant && until > at && (!isSecure || protocol === "wss:");
      })
      .sort(([, one], [, other]) => other.path.length - one.path.length)
      .map(([, { pair }]) => pair);
    return pairs.length === 0 ? undefined : pairs.join("; ");
  }

  /** Forgets the cookies of a host that refused them. */
  forget(url: string): void {
    const { host } = new URL(url);
    for (const key of [...this.#cookies.keys()]) if (key.startsWith(`${host} `)) this.#cookies.delete(key);
  }

  clear(): void {
    this.#cookies.clear();
  }

  /** The values, which must not be shown. */
  get values(): readonly string[] {
    return [...this.#cookies.values()].map(({ pair }) => pair.slice(pair.indexOf("=") + 1));
  }
}

/** The path of a cookie that has none (section 5.1.4). */
function folderOf(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf("/")) || "/";
}

/** Returns the value of the last attribute of a name, empty if it has none; undefined if it is not there. */
function attributeOf(attributes: readonly string[], name: string): string | undefined {
  for (const attribute of attributes.toReversed()) {
    const [key = "", ...value] = attribute.split("=");
    if (key.trim().toLowerCase() === name) return value.join("=").trim();
  }
  return undefined;
}

/** `Max-Age` goes before `Expires`; without both it lasts as long as the process. */
function endOf(of: (name: string) => string | undefined, at: number): number {
  const age = of("max-age");
  if (age !== undefined && /^-?\d{1,15}$/.test(age)) return at + Number(age) * 1_000;
  const date = of("expires") ?? "";
  const until = Date.parse(ZONE.test(date) ? date : `${date} GMT`);
  return Number.isNaN(until) ? Number.POSITIVE_INFINITY : until;
}

function isBelow(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`);
}
