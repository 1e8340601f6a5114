/** The types of a user's protocol module, as its author sees them. */

import type { Adopted, Body, DecodedMessage, Encoded, Mode, Protocol, WireId } from "./protocol.ts";

/** The members of a protocol that modules do not have, or know in another form. */
type NotOfModules =
  | "encode"
  | "decode"
  | "adopt"
  | "toWire"
  | "cancel"
  | "replyTo"
  | "states"
  | "takesEveryFrame"
  | "comparesRendered";

/** The classification of a frame. A message may have any form: text and bytes stay, anything else is kept as JSON. */
export type ModuleResult =
  | Exclude<DecodedMessage, { readonly type: "message" }>
  | { readonly type: "message"; readonly render?: () => unknown; readonly wantsReply?: boolean };

/**
 * The default export of a protocol module, which keeps no state, or the result of the function that it exports. All
 * other members have defaults.
 */
export interface ProtocolModule extends Pick<Protocol, "name">, Partial<Omit<Protocol, "name" | NotOfModules>> {
  /** Classifies a frame, or each message in it, in their order. */
  decode(frame: Body): ModuleResult | readonly ModuleResult[];
  encode(message: Body, id: number, mode: Mode): Pick<Encoded, "frame"> & Partial<Encoded>;
  /** Sets our id in a frame of the greeting, a heartbeat or an answer. Undefined if it carries none. */
  adopt?(frame: Body, id: number): Adopted | undefined;
  /** Returns the form in which a step of the greeting or a heartbeat goes out: text or bytes. */
  toWire?(frame: string): Body;
  /** Returns the frame that cancels the rest of a reply. */
  cancel?(id: WireId): Body | undefined;
  /** Returns the frame that replies to a message with `wantsReply`. */
  replyTo?(request: Body, reply: string): Body;
}

/** The connection that a module's function is called for. */
export interface ModuleConnection {
  /** Counted over the upstream's life. */
  readonly number: number;
  /** Has `tick` called once, after so many milliseconds from now: at least 10. A later call takes its place. */
  tickAfter(ms: number): void;
}

/** The handlers of one connection, which may keep state. */
export interface ConnectionProtocol extends ProtocolModule {
  /** Called when the connection has opened, before the greeting. Returns the frames to send, if any. */
  opened?(): Body | readonly Body[] | undefined;
  /** Called when the time of `tickAfter` has passed. Returns the frames to send, if any. */
  tick?(): Body | readonly Body[] | undefined;
  /** Called when the connection is gone. */
  end?(): void;
}

/**
 * The default export of a protocol module that keeps state. It is called once when the module is loaded, without a
 * connection, and then for each connection that has opened. The traits of the first result count for all; its `encode`
 * finds out if a message is good, when no connection may be there.
 */
export type ProtocolFactory = (connection?: ModuleConnection) => ConnectionProtocol;
