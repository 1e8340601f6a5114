/** The network on Deno. */

import { type LookupAddress, lookup } from "node:dns";
import { connect, isIP, type Socket } from "node:net";
import type { Network } from "../net/connect.ts";

/** Deno asks for the permission to use `port` of the name. Node does not know the option. */
type LookupOptions = { readonly all: true; readonly family: number; readonly port: number };

/** The handle of Deno's socket, which connects to an address once the name is resolved. */
interface Handle {
  connect(request: unknown, address: string, port: number): number;
  connect6(request: unknown, address: string, port: number): number;
}

export const network: Network = {
  /** By the system, family by family: querying servers ourselves needs permissions for them. It holds up no exit. */
  resolve({ hostname, port }, onAnswer) {
    let left = false;
    for (const family of [6, 4] as const) {
      const options: LookupOptions = { all: true, family, port };
      lookup(hostname, options, (error, found: readonly LookupAddress[] = []) => {
        if (left) return;
        const addresses = found.map(({ address }) => ({ address, family }));
        onAnswer({ families: [family], addresses, error: error ?? undefined });
      });
    }
    return () => {
      left = true;
    };
  },

  /**
   * A permission for a name covers its addresses only for a socket that resolves the name itself. It would take the
   * first address of the family, so its handle gets the wanted one in its place.
   */
  connect({ hostname, port }, { address, family }) {
    if (isIP(hostname)) return connect({ host: hostname, port });
    const socket = connect({ host: hostname, port, family, autoSelectFamily: false });
    const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null };
    const method = family === 4 ? "connect" : "connect6";
    const connectHandle = handle?.[method].bind(handle);
    if (handle && connectHandle) handle[method] = (request, _first, at) => connectHandle(request, address, at);
    return socket;
  },
};
