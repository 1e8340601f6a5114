/** A free port, for programs that cannot report which one they took. */

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
 * Returns a loopback address whose port 53 is used by no real resolver and no other test: the port of a name server is
 * fixed, so the address varies with our process id.
 */
export function nameserverHost(): string {
  return `127.${53 + (hosts++ % 100)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
}
