/** A name server for tests, which replies as it is told. */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Cleanup } from "./until.ts";

/** The number of the record type A. */
export const A = 1;
/** Response codes. */
export const SERVFAIL = 2;
export const NXDOMAIN = 3;

/** The IPv4 addresses of a name, none of which fits AAAA; a response code; or undefined for silence. */
export type DnsReply = (name: string, type: number) => readonly string[] | number | undefined;

export interface NameServer {
  /** Its `address:port`. */
  readonly server: string;
  /** The names that were queried, in order. */
  readonly queries: readonly string[];
}

/** Starts a name server; undefined if its port cannot be used here. */
export async function startDns(
  t: Cleanup,
  reply: DnsReply,
  { host = "127.0.0.1", port = 0 } = {},
): Promise<NameServer | undefined> {
  const socket = createSocket("udp4");
  const queries: string[] = [];
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join(".");
    queries.push(name);
    const given = reply(name, query.readUInt16BE(at + 1));
    if (given === undefined) return;
    const addresses = typeof given === "number" ? [] : given;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180 | (typeof given === "number" ? given : 0), 2);
    header.writeUInt16BE(addresses.length, 6);
    header.writeUInt32BE(0, 8);
    const records = addresses.flatMap((address) => {
      return [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split(".").map(Number)];
    });
    socket.send(Buffer.concat([header, query.subarray(12, at + 5), Buffer.from(records)]), from.port, from.address);
  });
  socket.bind(port, host);
  t.after(async () => {
    socket.close();
  });
  const listens = once(socket, "listening").then(() => true);
  if (!(await Promise.race([listens, once(socket, "error").then(() => false)]))) return undefined;
  return { server: `${host}:${(socket.address() as AddressInfo).port}`, queries };
}
