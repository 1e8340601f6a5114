/** The port between the host and the sidecar's thread on Deno. */

import type { MessagePort, Transferable } from "node:worker_threads";
import type { ThreadPort } from "./runtime.ts";

/**
 * Hides what is posted in a Map. Deno 2.9 walks through every message that arrives, value by value, for ports to give
 * Node's methods to, which takes longer than the clone; it does not look into a Map. What brings a port goes as it is.
 */
export function hidingPort(port: MessagePort): ThreadPort {
  return {
    on<Message>(event: "message", listener: (message: Message) => void) {
      port.on(event, (message: Message | Map<number, Message>) =>
        listener(message instanceof Map ? (message.get(0) as Message) : message),
      );
    },
    postMessage(message, transfer: readonly Transferable[] = []) {
      const bringsPort = transfer.some((each) => !(each instanceof ArrayBuffer));
      port.postMessage(bringsPort ? message : new Map([[0, message]]), transfer);
    },
    ref: () => port.ref(),
    unref: () => port.unref(),
  };
}
