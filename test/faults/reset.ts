/** RST, where a FIN is not on its way already: there libuv refuses it, and Node would neither close the socket nor say so. */
import type { Socket } from "node:net";

export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
