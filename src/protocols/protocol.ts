/**
 * The interface of a protocol, which frames requests and recognizes their replies.
 *
 * A protocol is pure: it has no I/O and no clock, and the presets have no state. The exchange keeps the table of
 * requests in flight; the protocol only reads and writes ids.
 */

import type { Reads } from "./reads.ts";

/** A message of a caller or a socket: text, or the bytes of a binary frame. */
export type Body = string | Uint8Array;

/** An id on the wire: a number, which is ours; or a string, the caller's own, in a protocol that keeps it. */
export type WireId = number | string;

/** The route of a message, as modules know it: in `rpc` one without an id expects no reply, in `request` all do. */
export type Mode = "request" | "rpc";

/**
 * The route of a message. `send` expects no reply to anything: a message gets no id that its caller did not write, and
 * may be a response to the upstream. Modules see it as `rpc`.
 */
export type SendRoute = Mode | "send";

/** A message that is ready for the socket. */
export interface Encoded {
  readonly frame: Body;
  /** False if the protocol has no reply to such a message (a JSON-RPC notification). */
  readonly expectsReply: boolean;
  /**
   * True if the first frame of the reply may take any time, as with a subscription: a caller that reads frame by frame
   * waits for it without a deadline.
   */
  readonly subscribes?: boolean | undefined;
  /** True if certainly nothing answers it: it waits for no request in flight, and no request waits for it. */
  readonly unanswered?: true;
  /**
   * The argument for `render`, which restores the caller's own id. Kept with the request and opaque to everyone else.
   */
  readonly own?: unknown;
  /** The caller's own id, which its reply will carry. Required if `ids` is `callers`, absent otherwise. */
  readonly id?: string | undefined;
}

/** A frame of the configuration whose id is ours. */
export interface Adopted {
  readonly frame: Body;
  /** The argument for `render`, which restores the id that the configuration wrote. */
  readonly own: unknown;
  /** The id that the configuration wrote, which stays on the wire. Required if `ids` is `callers`, absent otherwise. */
  readonly id?: string | undefined;
}

/** Returns a frame as the caller sees it: with its own id restored, otherwise unchanged. */
type Render = (own: unknown) => Body;

/** The form of an answer, which decides how values are put into it. */
export type AnswerForm = "text" | "json";

/** The classification of a frame from the upstream, or of each of several messages in it. */
export type Decoded =
  | Classified
  | Aliased
  | Ignored
  | { readonly type: "several"; readonly results: readonly DecodedMessage[] };

/** The classification of one message from the upstream. */
export type DecodedMessage =
  /** The reply to the request that was sent as `id`. */
  | {
      readonly type: "reply";
      readonly id: WireId;
      readonly render: Render;
      /** For a reply in several frames: joins them all, each rendered, this one last. */
      gather?(frames: readonly Body[]): Body;
    }
  /** One frame of a reply in several, but not the last: kept until the reply with `gather`. */
  | { readonly type: "part"; readonly id: WireId; readonly render: Render }
  /** Not the reply to `id` yet, but proof that the request was received. Handed on as a message. */
  | { readonly type: "progress"; readonly id: WireId; readonly render?: Render }
  /** A reply to `id` that violates the protocol and cannot be used. The caller gets `why`. */
  | { readonly type: "invalid"; readonly id: WireId; readonly why: string; readonly render?: Render }
  /**
   * An error that names no request: fails the oldest request on its connection, or all, or with `only` the request in
   * flight if there is exactly one. Also handed on as a message. `error` is its JSON text, if the protocol knows it;
   * `detail` is what to tell of it otherwise.
   */
  | {
      readonly type: "error";
      readonly fails: "oldest" | "all" | "only";
      readonly error?: string | undefined;
      readonly detail?: string | undefined;
    }
  /**
   * A request of the upstream's own, with the frame that answers it. `adopt`: the frame carries an id that is not the
   * upstream's, and gets one of ours in its place. Handed on as a message only with `keep`, which is `json` if the
   * protocol has verified that it is JSON. With `deliveredWithinMs` the frame waits, at most that long, until the
   * message has been delivered; otherwise it is never sent.
   */
  | {
      readonly type: "answer";
      readonly frame: Body;
      readonly adopt?: true;
      readonly keep?: "json" | "any";
      readonly deliveredWithinMs?: number;
      /** Set if captured values are put into it when it goes out. */
      readonly fill?: AnswerForm | undefined;
      /** True if the upstream has requested nothing: the frame ends what a request of ours began. It is no answer. */
      readonly endsRequest?: true;
    }
  /**
   * An unsolicited message. `json` is set if the protocol has verified that the frame is JSON; `render` returns the
   * message, if it is not the frame.
   */
  | {
      readonly type: "message";
      readonly json?: true;
      readonly render?: Render;
      /** True for a request of the upstream's own, which wants the reply that `replyTo` builds. */
      readonly wantsReply?: true;
      /** The reason why it is no reply although it looks like one; given to callers that time out. */
      readonly hint?: string;
    }
  /** Not a frame of this protocol. Counted and kept as a message, never a reply. */
  | { readonly type: "noise"; readonly why: string };

export type DecodedError = Extract<DecodedMessage, { readonly type: "error" }>;

/** The part of a frame in the end of a reply that ends when several conditions have been met, in any order. */
interface TowardsEnd {
  /** The conditions that the frame meets, and all that there are, as bits. */
  readonly met: number;
  readonly all: number;
  /** The frame as the last one of the reply, if no condition is left with it. */
  readonly end: Extract<DecodedMessage, { readonly type: "reply" }>;
}

/** A frame that precedes the end of its reply, as presets know it. */
type Preceding = Extract<DecodedMessage, { readonly type: "part" | "progress" }> & {
  /** Another id, as normalized JSON, under which more frames of the same reply come. */
  readonly alias?: string;
  readonly towards?: TowardsEnd;
};

/** The classification of a frame by its own id. */
export type Classified = DecodedMessage | Preceding;

/**
 * A frame without an id of ours, but with one that may be the alias of a request: `of` that request if it is, else
 * `otherwise`. Where replies come by order, every alias is that of the request whose reply is due.
 */
export interface Aliased {
  readonly type: "aliased";
  readonly alias: string;
  of(id: WireId): Classified;
  readonly otherwise: DecodedMessage;
}

/** A frame that concerns nobody, by a rule of the configuration. It is only counted. */
interface Ignored {
  readonly type: "ignored";
}

/** The classification of a frame that names a request. */
export type FrameWithId = Extract<Classified, { readonly id: WireId }>;

/** The classification of a frame that is a reply, or a part of one. */
export type ReplyFrame = Exclude<Extract<DecodedMessage, { readonly id: WireId }>, { readonly type: "progress" }>;

/** `reads`: what it, and the `render` of a reply that it returns, look into. */
export interface Decode {
  (frame: Body, connection?: number): Decoded;
  readonly reads?: Reads;
}

export interface Protocol {
  readonly name: string;
  /** `id`: a reply names its request. `order`: it does not, so requests are sent one at a time, first in, first out. */
  readonly correlation: "id" | "order";
  /**
   * True if every frame counts as a reply, because the protocol cannot tell. For `order` only: the exchange then waits
   * a moment after each reply for frames that are one too many.
   */
  readonly takesEveryFrame?: boolean | undefined;
  /** The bodies that callers may send: `json` requires a JSON content type, `any` takes text and bytes as is. */
  readonly accepts: "json" | "any";
  /** The largest id that the protocol can carry. */
  readonly maxId: number;
  /**
   * The owner of the ids on the wire; by default `ours`.
   * - `increasing`: ours, each larger than every id sent before it. Ids are drawn when a message is handed to the
   *   socket, so `encode` is called twice, the first time with 0.
   * - `callers`: the callers' own ids travel unchanged; one that is already in flight is refused.
   */
  readonly ids?: "ours" | "increasing" | "callers" | undefined;
  /** True if conditions of the greeting and the heartbeat see a message as its `render` returns it. */
  readonly comparesRendered?: boolean | undefined;
  /** JSON pointers of the places of ids in what goes out; omitted if they are in no JSON, or are not known. */
  readonly idPlaces?: readonly string[] | undefined;
  /** The most parts of one reply; by default 1,000. */
  readonly maxFrames?: number | undefined;
  /** True if a reply may have several frames (`part`), so that each can be handed on as it arrives. */
  readonly streams?: boolean | undefined;
  /** True if binary frames of callers are bytes that the protocol takes. */
  readonly binary?: true;
  /** True if frames of a reply may be bytes. */
  readonly bytes?: true;
  /** The bytes that a text frame of a reply carries; omitted if none does. */
  bytesIn?(frame: string): Uint8Array | undefined;
  /** The message that carries bytes of a caller; omitted if bytes go out as they are, or not at all. */
  wrap?(bytes: Uint8Array): string;
  /** True for a reply that refuses what was requested. Omitted if the common forms of a refusal are all. */
  refuses?(reply: string): boolean;
  /** True for a message with which the upstream ends the session, so that no farewell follows it. */
  endsSession?(message: Body): boolean;
  /** True for a frame which says that the reply in several frames that it belongs to is not whole. */
  cutsShort?(frame: string): boolean;
  /**
   * Returns the frame that cancels the rest of the reply to `id`; omitted if the protocol has none. `alias`: the
   * upstream's own id of that reply, as normalized JSON, if a frame has told it. Undefined: nothing can cancel it, or
   * not before that; then it is called again.
   */
  cancel?(id: WireId, alias?: string, connection?: number): Body | undefined;
  /**
   * Splits a batch into its items, each a message by itself; undefined if `message` is not a batch. One of more than
   * `itemsMax` is refused as a whole, so it need not be split any further than one item beyond.
   * Throws {@link InvalidMessage} if the batch is empty.
   */
  split?(message: Body, itemsMax: number): readonly string[] | undefined;
  /**
   * Sets our id in a message. Throws {@link InvalidMessage} if the message is not one of this protocol. `connection`:
   * the one that it goes out on, if that is known.
   */
  encode(message: Body, id: number, route: SendRoute, connection?: number): Encoded;
  /**
   * Sets our id in a frame of the configuration that carries an id: a step of the greeting, a heartbeat, an answer.
   * Undefined if it carries none, and goes out as it is. Called twice: with 0, to see whether there is an id, and with
   * its id. Must not throw. Omitted if the protocol cannot find ids in such frames: then they all go out as they are,
   * and their ids may be those of requests.
   */
  adopt?(frame: Body, id: number, connection?: number): Adopted | undefined;
  /**
   * Returns the form in which a step of the greeting or a heartbeat goes out; omitted if that is its text. Must not
   * throw.
   */
  toWire?(frame: string, connection?: number): Body;
  /**
   * Builds the reply to a request of the upstream's own, which `decode` has marked with `wantsReply`; omitted if it
   * marks none. `request` is the message as it was kept. Throws {@link InvalidMessage} if `reply` cannot be one.
   */
  replyTo?(request: Body, reply: string, connection?: number): Body;
  /** The reason why a frame of the configuration, which `encode` does not see, is none of this protocol's. */
  fault?(frame: string): string | undefined;
  /** Classifies a frame. Must not throw on any input: an unknown frame is `noise`. */
  readonly decode: Decode;
  /** Present if the protocol keeps state for each connection. */
  readonly states?: ConnectionStates | undefined;
  /** Returns a copy of a frame without secrets, which is still a frame; omitted if JSON and text show them all. */
  readonly mask?: ((frame: Body, secrets: readonly string[]) => Body) | undefined;
  /** Present if frames have ids where `adopt` and JSON do not show them. */
  readonly recorded?: RecordedFrames | undefined;
}

/** The knowledge of a protocol about its frames in a recording, by which they are compared and played back. */
export interface RecordedFrames {
  /** A client's frame in a form that is the same in each run, and the names in it, in order, that are not. */
  asSent(frame: Body): { readonly form: Body; readonly names: readonly string[] };
  /** The messages in a frame of the upstream, each a frame. */
  split(frame: Body): readonly Body[];
  /** The name to which a message of the upstream is addressed; undefined if it is addressed to no request. */
  addressee(message: Body): string | undefined;
  /** A message of the upstream with the names of another run in the place of its own. */
  renamed(message: Body, names: ReadonlyMap<string, string>): Body;
}

/**
 * The states that a protocol keeps for connections. In such a protocol `encode` is called for the connection that a
 * message goes out on, when it does.
 */
export interface ConnectionStates {
  /** Begins the state of a connection that is open. @returns the frames to send, or why it cannot be served */
  begin(connection: number): readonly Body[] | string;
  /** Takes a frame as it arrives. `decode` then returns what was made of it, and changes nothing. */
  take(connection: number, frame: Body): void;
  /** Sets the listener to the times, in milliseconds from now, after which a connection is to be ticked, each once. */
  onTickAsked(listener: (connection: number, ms: number) => void): void;
  /** @returns the frames to send */
  tick(connection: number): readonly Body[];
  /** Ends the state of a connection that is gone. */
  end(connection: number): void;
}

/**
 * Thrown for a caller's message that violates the protocol, with the fault and its place. Becomes `invalid_request`.
 */
export class InvalidMessage extends Error {
  override readonly name = "InvalidMessage";
  /** `parse`: not JSON at all (JSON-RPC −32700); `shape`: JSON, but not a message (−32600). */
  readonly kind: "parse" | "shape";
  /** The caller's own id as it was written, if it could be read. */
  readonly own: string | undefined;

  constructor(kind: "parse" | "shape", message: string, own?: string) {
    super(message);
    this.kind = kind;
    this.own = own;
  }
}
