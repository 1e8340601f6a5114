/** A port that nobody has: for what cannot say which one it took. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let hosts = 0;

/**
 * An address of this machine whose port 53 nobody else has: neither a real resolver, nor another test. A name server's port
 * cannot be chosen, so its address is, from our process id.
 */
export function nameserverHost(): string {
  return `127.${53 + (hosts++ % 100)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
}
