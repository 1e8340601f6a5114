/** A socket that stands for another one, which comes later or changes while an attempt goes on. */

import type { Socket } from "./socket.ts";

/**
 * Hands everything on to the present socket. While there is none, the returned socket is one that is not open yet.
 * @param leaving what happens besides, or instead while there is no socket, when the socket is closed or destroyed
 */
export function forwardedSocket(present: () => Socket | undefined, leaving: () => void): Socket {
  return {
    get agreed() {
      return present()?.agreed;
    },
    get buffered() {
      return present()?.buffered ?? 0;
    },
    get traffic() {
      return present()?.traffic;
    },
    get closedBy() {
      return present()?.closedBy;
    },
    write: (frame, onTaken) => present()?.write(frame, onTaken) ?? false,
    ping: (proof) => present()?.ping(proof),
    hold: () => present()?.hold(),
    release: () => present()?.release(),
    close(code, withinMs) {
      leaving();
      present()?.close(code, withinMs);
    },
    destroy() {
      leaving();
      present()?.destroy();
    },
  };
}
