/** A name lookup for Node that can be interrupted. */

import { Resolver } from "node:dns";
import { readFileSync } from "node:fs";
import { isIP, type LookupFunction } from "node:net";

/** Time that a server has for the first of its two tries, in milliseconds. `connect_within` bounds the whole lookup. */
const SERVER_TIMEOUT_MS = 2_000;
const SERVER_TRIES = 2;

export interface LookupSources {
  /** The texts of /etc/hosts and /etc/resolv.conf; undefined if there is no such file. */
  hosts(): string | undefined;
  resolvConf(): string | undefined;
  /** Servers to query instead of the system's, as `address:port`. */
  readonly servers?: readonly string[];
}

export const systemSources: LookupSources = {
  hosts: () => readIfThere("/etc/hosts"),
  resolvConf: () => readIfThere("/etc/resolv.conf"),
};

/**
 * Creates a lookup without getaddrinfo, which runs on a system thread that nothing can interrupt: while a DNS server
 * is silent, neither the sidecar's thread nor the process could end (10 s measured). c-ares queries the same servers
 * and can be cancelled at any moment, but ignores the hosts file, `search` and `ndots`, so these are handled here.
 * Other sources of the system (mDNS, LDAP) are not queried.
 */
export function createLookup(sources: LookupSources): LookupFunction {
  return (hostname, options, callback) => {
    resolveAll(hostname, sources).then(
      (addresses) => {
        const wanted = addresses.filter(({ family }) => !options.family || family === familyOf(options.family));
        const [first] = wanted;
        if (!first) callback(notFound(hostname), "");
        else if (options.all) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ""),
    );
  };
}

interface Address {
  readonly address: string;
  readonly family: number;
}

async function resolveAll(hostname: string, sources: LookupSources): Promise<Address[]> {
  if (isIP(hostname)) return [{ address: hostname, family: isIP(hostname) }];
  const name = hostname.toLowerCase();
  const listed = fromHosts(sources.hosts() ?? "", name.replace(/\.$/, ""));
  if (listed.length > 0) return listed;
  // Localhost is loopback, whatever the files and the servers say (RFC 6761, section 6.3).
  if (name === "localhost" || name.endsWith(".localhost")) {
    return [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ];
  }
  const resolver = new Resolver({ timeout: SERVER_TIMEOUT_MS, tries: SERVER_TRIES });
  if (sources.servers) resolver.setServers(sources.servers);
  let failure: Error = notFound(hostname);
  for (const candidate of candidates(name, sources.resolvConf() ?? "")) {
    try {
      return await query(resolver, candidate);
    } catch (error) {
      failure = error as Error;
    }
  }
  throw failure;
}

/** Finds the addresses of a name in a hosts file: lines of `address name…`, where `#` begins a comment. */
export function fromHosts(text: string, name: string): Address[] {
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(address);
    return family && names.some((each) => each.toLowerCase() === name) ? [{ address, family }] : [];
  });
}

/** Lists the names to query, in order, by `search`, `domain` and `options ndots` of resolv.conf(5). */
export function candidates(name: string, resolvConf: string): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  let search: string[] = [];
  let ndots = 1;
  for (const line of resolvConf.split("\n")) {
    const [key, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (key === "search" || key === "domain") search = values;
    if (key === "options") for (const option of values) ndots = Number(/^ndots:(\d+)$/.exec(option)?.[1] ?? ndots);
  }
  const searched = search.map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
  return name.split(".").length - 1 >= ndots ? [name, ...searched] : [...searched, name];
}

/** Queries both families at once; one of them suffices. */
async function query(resolver: Resolver, name: string): Promise<Address[]> {
  const queries = ([4, 6] as const).map(
    (family) =>
      new Promise<Address[]>((resolve, reject) => {
        const method = family === 4 ? "resolve4" : "resolve6";
        resolver[method](name, (error, addresses) => {
          if (error) reject(error);
          else resolve(addresses.map((address) => ({ address, family })));
        });
      }),
  );
  const [four, six] = await Promise.allSettled(queries);
  const found = [four, six].flatMap((result) => (result?.status === "fulfilled" ? result.value : []));
  if (found.length === 0) throw four?.status === "rejected" ? four.reason : notFound(name);
  return found;
}

function familyOf(family: number | string): number {
  return family === "IPv6" || family === 6 ? 6 : 4;
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
