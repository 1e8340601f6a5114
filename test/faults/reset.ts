/**
 * RST, unless a FIN is already on its way: libuv refuses it then, and Node would neither close the socket nor report
 * it.
 */
import type { Socket } from "node:net";

export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
