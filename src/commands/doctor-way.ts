/** The beginning of the way to a host, for the checks of `sidesocket doctor`: a TCP connection, within its time. */

import type { Socket } from "node:net";
import type { Pauses } from "../core/connection/address-race.ts";
import { connectTo, type Host, type Network } from "../net/connect.ts";
import { type Finding, fail } from "./findings.ts";

export interface Way {
  /** The beginning of each finding, such as `upstream default`. */
  readonly name: string;
  /** Its path and its query are never shown. */
  readonly url: string;
  /** The file of the certificates that are trusted. */
  readonly ca?: string | undefined;
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

export async function tcpTo(network: Network, host: Host, { name, withinMs, pauses }: Way): Promise<TcpEnd> {
  const at = `${name}: ${host.hostname}:${host.port}`;
  const result = await withinTime<TcpEnd>(withinMs, (done) => {
    const leave = connectTo(network, host, { withinMs, pauses }, (error, socket) => {
      const cure = "start it, or correct the host and the port in the url; a firewall may refuse, too";
      done(socket ? { socket } : fail(`${at} cannot be reached (${reasonOf(error)})`, cure));
    });
    return leave;
  });
  const cure = "a firewall or a route swallows the packets: let this machine through";
  return result ?? fail(`${at} does not answer within ${withinMs} ms`, cure);
}

export function reasonOf(error: Error | null): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? error?.message ?? "no reason given";
}
