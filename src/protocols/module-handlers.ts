/** The handlers of a user's protocol module, each guarded: nothing that it throws or returns can harm the thread. */

import { textOf } from "./json-message.ts";
import {
  adoptedIn,
  asCallersFault,
  cancellationIn,
  copied,
  decodedIn,
  encodedIn,
  type Fields,
  framesIn,
  itemsIn,
  type ModuleThrew,
  type ModuleTraits,
  method,
  replyIn,
  wireFormIn,
} from "./module-results.ts";
import { type Body, InvalidMessage, type Mode, type Protocol, type WireId } from "./protocol.ts";

/** The handlers of one object: of all connections, or of one that has an object of its own. */
export interface Handlers
  extends Pick<Protocol, "encode" | "decode" | "adopt" | "toWire" | "cancel" | "replyTo" | "split"> {
  /** Returns the frames to send. May throw. */
  opened?(): readonly Body[];
  /** Returns the frames to send. */
  tick?(): readonly Body[];
  end?(): void;
}

/** Throws a plain Error that names the missing or invalid member. */
export function handlersOf(definition: Fields, traits: ModuleTraits, threw: ModuleThrew): Handlers {
  const optional = (key: "split" | "adopt" | "toWire" | "cancel" | "replyTo" | "opened" | "tick" | "end") =>
    definition[key] === undefined ? undefined : method(definition, key);
  const encode = method(definition, "encode");
  const decode = method(definition, "decode");
  const split = optional("split");
  const adopt = optional("adopt");
  const toWire = optional("toWire");
  const cancel = optional("cancel");
  const replyTo = optional("replyTo");
  const opened = optional("opened");
  const tick = optional("tick");
  const end = optional("end");
  /** A module that accepts JSON gets text, even if the caller sent bytes. */
  const input = (message: Body): Body => (traits.accepts === "json" ? utf8Text(message) : message);

  return {
    encode: (message, id, route) => {
      const mode: Mode = route === "send" ? "rpc" : route;
      return asCallersFault("encode", threw, () => encodedIn(encode(input(message), id, mode), traits));
    },
    decode: (frame) => decodedIn(frame, traits, threw, decode),
    ...(adopt &&
      traits.correlation === "id" && { adopt: (frame, id) => adoptedIn(threw, () => adopt(frame, id), traits) }),
    ...(toWire && { toWire: (frame: string) => wireFormIn(threw, () => toWire(frame), frame) }),
    ...(replyTo && {
      replyTo: (request: Body, reply: string) =>
        asCallersFault("replyTo", threw, () => replyIn(replyTo(copied(request), reply))),
    }),
    ...(cancel && { cancel: (id: WireId) => cancellationIn(threw, () => cancel(id)) }),
    ...(split && { split: (message: Body) => asCallersFault("split", threw, () => itemsIn(split(input(message)))) }),
    ...(opened && { opened: () => framesIn(opened()) }),
    ...(tick && {
      tick() {
        try {
          return framesIn(tick());
        } catch (error) {
          threw("the protocol's tick threw", error);
          return [];
        }
      },
    }),
    ...(end && {
      end() {
        try {
          end();
        } catch (error) {
          threw("the protocol's end threw", error);
        }
      },
    }),
  };
}

function utf8Text(message: Body): string {
  const text = textOf(message);
  if (text === undefined) throw new InvalidMessage("parse", "the bytes are not UTF-8");
  return text;
}
