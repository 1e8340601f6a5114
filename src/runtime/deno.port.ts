/** The port between the host and the sidecar's thread on Deno. */

import type { MessagePort, Transferable } from "node:worker_threads";
import { type HiddenMessage, hidden, shown } from "../core/util/hidden-message.ts";
import type { ThreadPort } from "./runtime.ts";

/** Hides what is posted. What brings a port goes as it is. */
export function hidingPort(port: MessagePort): ThreadPort {
  return {
    on<Message>(event: "message", listener: (message: Message) => void) {
      port.on(event, (message: Message | HiddenMessage<Message>) => listener(shownMessage(message)));
    },
    postMessage(message, transfer: readonly Transferable[] = []) {
      const bringsPort = transfer.some((each) => !(each instanceof ArrayBuffer));
      port.postMessage(bringsPort ? message : hidden(message), transfer);
    },
    ref: () => port.ref(),
    unref: () => port.unref(),
  };
}

/** The message itself, which may be hidden. */
export function shownMessage<Message>(message: Message | HiddenMessage<Message>): Message {
  return message instanceof Map ? shown(message) : (message as Message);
}
