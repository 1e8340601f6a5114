/** The beginning of the way to a host, for the checks of `sidesocket doctor`: a TCP connection, within its time. */

import type { Socket } from "node:net";
import type { Pauses } from "../core/connection/address-race.ts";
import type { Host, Network } from "../net/connect.ts";
import { ProxyError, reach, type TunnelProxy } from "../net/reach.ts";
import { type Finding, fail } from "./findings.ts";

export interface Way {
  /** The beginning of each finding, such as `upstream default`. */
  readonly name: string;
  /** Its path and its query are never shown. */
  readonly url: string;
  /** The file of the certificates that are trusted. */
  readonly ca?: string | undefined;
  readonly tls?: { readonly servername?: string | undefined; readonly min_version?: "1.2" | "1.3" } | undefined;
  readonly proxy: TunnelProxy | undefined;
  readonly withinMs: number;
  readonly pauses: Pauses;
}

/** Resolves with the value, or with undefined when the time is over. */
export async function withinTime<Value>(ms: number, begin: (done: (value: Value) => void) => () => void) {
  let leave = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const value = await new Promise<Value | undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
    leave = begin(resolve);
  });
  clearTimeout(timer);
  leave();
  return value;
}

type TcpEnd = { readonly socket: Socket } | Finding;

/** Connects to a host, through the proxy if there is one. */
export async function tcpTo(network: Network, host: Host, way: Way): Promise<TcpEnd> {
  const { name, withinMs } = way;
  const at = `${name}: ${shownHost(host)}`;
  let waitsFor: string | undefined;
  const result = await withinTime<TcpEnd>(withinMs, (done) => {
    const reaching = reach(network, host, way, (error, socket) => {
      const cure =
        host.socketPath === undefined
          ? "start it, or correct the host and the port in the url; a firewall may refuse, too"
          : "start it, correct the path in the url, or let this user read and write the socket";
      if (socket) done({ socket });
      else if (error instanceof ProxyError) done(fail(`${name}: ${error.message}`, CURES[error.failure.fault]));
      else done(fail(`${at} cannot be reached (${reasonOf(error)})`, cure));
    });
    return () => {
      waitsFor = reaching.waitsFor;
      reaching.leave();
    };
  });
  if (result) return result;
  if (waitsFor !== undefined) return fail(`${name}: ${waitsFor} within ${withinMs} ms`, CURES.unreachable);
  const cure = "a firewall or a route swallows the packets: let this machine through";
  return fail(`${at} does not answer within ${withinMs} ms`, cure);
}

const CURES = {
  unreachable: "correct the host and the port in proxy, or start the proxy",
  credentials: "correct the user and the password in proxy",
  refused: "let the proxy's rules allow this host and port for CONNECT",
  target: "correct the host and the port in the url: the proxy works, and the upstream cannot be reached from there",
  garbled: "correct the scheme and the port in proxy",
} as const;

/** The host as people write it. */
export function shownHost({ hostname, port, socketPath }: Host): string {
  return socketPath ?? `${hostname}:${port}`;
}

export function reasonOf(error: Error | null): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? error?.message ?? "no reason given";
}
