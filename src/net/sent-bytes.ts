/** Progress of a socket's writes, as far as the runtime shows it. */

import type { Socket } from "node:net";

/**
 * A number that changes when the operating system takes bytes. Node shows how far it has come within one write. On
 * Deno, where the handle has no such count, only a write that is complete shows.
 */
export function sentBy(tcp: Socket): number {
  const { _handle } = tcp as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return tcp.bytesWritten - tcp.writableLength - (_handle?.writeQueueSize ?? 0);
}
