/** The checks of `sidesocket doctor` on the way to a host: its name, its port and its certificate. */

import { isIP } from "node:net";
import { type Host, hostOf, type Network } from "../net/connect.ts";
import { proxyFor } from "../net/reach.ts";
import { shownProxy } from "../secrets/secrets.ts";
import { checkCertificate } from "./doctor-certificate.ts";
import { reasonOf, shownHost, tcpTo, type Way, withinTime } from "./doctor-way.ts";
import { type Finding, fail, isOver, ok } from "./findings.ts";

/** Checks one step after the other, up to the first that fails. */
export async function checkWay(network: Network, way: Way): Promise<readonly Finding[]> {
  const host = hostOf(way.url);
  const proxy = proxyFor(host, way.proxy);
  const findings: Finding[] = [];
  for (const named of proxy ? [proxy, ...(proxy.scheme === "socks5" ? [host] : [])] : [host]) {
    if (isIP(named.hostname) || named.socketPath !== undefined) continue;
    findings.push(await checkName(network, named, way, named === host ? "url" : "proxy"));
    if (isOver(findings)) return findings;
  }
  const connected = await tcpTo(network, host, way);
  if (!("socket" in connected)) return [...findings, connected];
  const through = proxy ? ` through the proxy ${shownProxy(proxy)}` : "";
  findings.push(ok(`${way.name}: ${shownHost(host)} accepts connections${through}`));
  try {
    return host.isSecure ? [...findings, await checkCertificate(network, connected.socket, host, way)] : findings;
  } finally {
    connected.socket.destroy();
  }
}

/** @param setting the one that has the name */
async function checkName(
  network: Network,
  host: Host,
  { name, withinMs }: Way,
  setting: "url" | "proxy",
): Promise<Finding> {
  const cure = `correct the name in ${setting === "url" ? "the url" : setting}, or this machine's name servers`;
  const addresses: string[] = [];
  let reason: Error | undefined;
  const families = new Set<number>();
  const answered = await withinTime<true>(withinMs, (done) =>
    network.resolve(host, ({ families: all, addresses: found, error }) => {
      for (const family of all) families.add(family);
      for (const { address } of found) addresses.push(address);
      reason ??= error;
      if (families.size === 2) done(true);
    }),
  );
  if (addresses.length > 0) return ok(`${name}: ${host.hostname} has the address ${addresses.join(", ")}`);
  const why = answered ? (reason ? reasonOf(reason) : "it has no address") : `no answer within ${withinMs} ms`;
  return fail(`${name}: ${host.hostname} cannot be resolved (${why})`, cure);
}
