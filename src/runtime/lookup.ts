/** A name lookup for Node that can be interrupted. */

import { Resolver } from "node:dns";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Address, Family } from "../core/connection/address-race.ts";
import type { AddressAnswer, Network } from "../net/connect.ts";

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
 * Creates a resolver without getaddrinfo, which runs on a system thread that nothing can interrupt: while a DNS server
 * is silent, neither the sidecar's thread nor the process could end (10 s measured). c-ares queries the same servers
 * and can be cancelled at any moment, but ignores the hosts file, `search` and `ndots`, so these are handled here.
 * Other sources of the system (mDNS, LDAP) are not queried.
 */
export function createResolve(sources: LookupSources): Network["resolve"] {
  return ({ hostname }, onAnswer) => {
    const name = hostname.toLowerCase();
    const addresses = withoutQuery(name, sources);
    let left = false;
    const answer = (given: AddressAnswer): void => {
      if (!left) onAnswer(given);
    };
    if (addresses.length > 0) {
      queueMicrotask(() => answer({ families: [4, 6], addresses }));
      return () => {
        left = true;
      };
    }
    const resolver = new Resolver({ timeout: SERVER_TIMEOUT_MS, tries: SERVER_TRIES });
    if (sources.servers) resolver.setServers(sources.servers);
    queryInTurn(resolver, candidates(name, sources.resolvConf() ?? ""), answer);
    return () => {
      left = true;
      resolver.cancel();
    };
  };
}

/** The addresses of a name for which no server needs to be asked. */
function withoutQuery(name: string, sources: LookupSources): readonly Address[] {
  const listed = fromHosts(sources.hosts() ?? "", name.replace(/\.$/, ""));
  if (listed.length > 0) return listed;
  // Localhost is loopback, whatever the files and the servers say (RFC 6761, section 6.3).
  if (name !== "localhost" && !name.endsWith(".localhost")) return [];
  return [
    { address: "127.0.0.1", family: 4 },
    { address: "::1", family: 6 },
  ];
}

/** Queries one name after another, until a server knows addresses of one. */
function queryInTurn(
  resolver: Resolver,
  [name = "", ...others]: readonly string[],
  answer: (given: AddressAnswer) => void,
) {
  let isFound = false;
  let isOver = false;
  /** Held back as long as it may turn out that another name is to be queried. */
  let failed: AddressAnswer | undefined;

  const onFailure = (family: Family, error: NodeJS.ErrnoException): void => {
    const failure: AddressAnswer = { families: [family], addresses: [], error };
    if (isFound) {
      answer(failure);
      return;
    }
    // A name that does not exist has no address in the other family either, so that answer is not waited for.
    if (failed === undefined && error.code !== "ENOTFOUND") {
      failed = failure;
      return;
    }
    isOver = true;
    if (others.length > 0) queryInTurn(resolver, others, answer);
    else answer({ families: [4, 6], addresses: [], error: failed?.error ?? error });
  };

  for (const family of [6, 4] as const) {
    resolver[family === 4 ? "resolve4" : "resolve6"](name, (error, found) => {
      if (isOver || error?.code === "ECANCELLED") return;
      if (error) {
        onFailure(family, error);
        return;
      }
      isFound = true;
      if (failed) answer(failed);
      failed = undefined;
      answer({ families: [family], addresses: found.map((address) => ({ address, family })) });
    });
  }
}

/** Finds the addresses of a name in a hosts file: lines of `address name…`, where `#` begins a comment. */
export function fromHosts(text: string, name: string): Address[] {
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(address) as Family | 0;
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

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
