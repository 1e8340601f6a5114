/**
 * What a dialect must say about its frames, and nothing more. A protocol is pure: no I/O, no clock, no state
 * of its own. The exchange keeps the table of requests in flight; the protocol only reads and writes ids.
 */

/** A message as callers and sockets give it: text, or the bytes of a binary frame. */
export type Body = string | Uint8Array;

/** An id on the wire: a number, which is ours; or a text, which is a caller's own in a dialect that keeps it. */
export type WireId = number | string;

/** How the caller came in: `rpc` has JSON-RPC's notifications, `request` always has a reply. */
export type Mode = "request" | "rpc";

/** One message, ready for the socket. */
export interface Encoded {
  readonly frame: Body;
  /** False for a message that gets no reply by the protocol's rules (a JSON-RPC notification). */
  readonly expectsReply: boolean;
  /**
   * Nothing says when the first frame of its reply comes, as with a subscription: who takes the frames one by one waits
   * for it as long as they want.
   */
  readonly subscribes?: boolean | undefined;
  /** What `decode`'s `render` needs to give the caller's own id back; kept with the request, never read by others. */
  readonly own?: unknown;
  /** The caller's own id, under which its reply will come. Only, and always, where `ids` is `callers`. */
  readonly id?: string | undefined;
}

/** Makes what the caller sees of a frame: its own id put back, the rest as it came. */
type Render = (own: unknown) => Body;

/** What a frame from the upstream is. */
export type Decoded =
  /** The answer to the request that went out as `id`. */
  | {
      readonly type: "reply";
      readonly id: WireId;
      readonly render: Render;
      /** Of an answer in several frames: one reply of all, each rendered, this one the last. */
      gather?(frames: readonly Body[]): Body;
    }
  /** One frame of several that answer `id`, and not the last: kept until the reply that has `gather`. */
  | { readonly type: "part"; readonly id: WireId; readonly render: Render }
  /** Not the answer to `id` yet, but a sign that it was received. Handed on as a message. */
  | { readonly type: "progress"; readonly id: WireId }
  /** An answer to `id` that cannot be used: against the protocol. `why` goes to the caller. */
  | { readonly type: "invalid"; readonly id: WireId; readonly why: string }
  /** An error that names no request: it fails the oldest on its connection, or all. Handed on as a message, too. */
  | { readonly type: "error"; readonly fails: "oldest" | "all" }
  /** A request of the upstream's own, and what answers it. Not handed on. */
  | { readonly type: "answer"; readonly frame: Body }
  /** Something that the upstream said unasked. `json`: it has been read, and is JSON: nobody need look again. */
  | { readonly type: "message"; readonly json?: true }
  /** Not a frame of this protocol. Counted, kept as a message, never an answer. */
  | { readonly type: "noise"; readonly why: string };

/** What a frame that names a request says of it. */
export type FrameWithId = Extract<Decoded, { readonly id: WireId }>;

export interface Protocol {
  readonly name: string;
  /** `id`: a reply names its request. `order`: it does not, so requests go one at a time, first in, first out. */
  readonly correlation: "id" | "order";
  /** Which bodies callers may send: `json` demands a JSON content type, `any` takes text and bytes as they are. */
  readonly accepts: "json" | "any";
  /** The largest id that this dialect can carry. */
  readonly maxId: number;
  /**
   * Whose ids are on the wire: `ours`, unless given. `increasing`: ours, and each larger than all that were sent before
   * it; so they are drawn when a message is handed to the socket, and `encode` is called a second time for it (the first
   * time with 0). `callers`: their own travel unchanged, and one that is in flight already is refused.
   */
  readonly ids?: "ours" | "increasing" | "callers" | undefined;
  /** The most frames that one reply may be gathered of; 1,000 unless given. */
  readonly maxFrames?: number | undefined;
  /** Whether a reply may have several frames (`part`), so that each can be handed on as it comes. */
  readonly streams?: boolean | undefined;
  /** Tells the upstream that no more of the frames that answer `id` is wanted; left out where there is no word for it. */
  cancel?(id: WireId): Body | undefined;
  /**
   * Splits a batch into its items, each a message by itself; undefined when `message` is not a batch.
   * Throws {@link InvalidMessage} for an empty batch.
   */
  split?(message: Body): readonly string[] | undefined;
  /** Puts our id in. Throws {@link InvalidMessage} when the message is not one of this protocol. */
  encode(message: Body, id: number, mode: Mode): Encoded;
  /** Says what a frame is. Must not throw on any input: what it does not know is `noise`. */
  decode(frame: Body): Decoded;
}

/** The caller's message was not one of the protocol: what was wrong and where. Becomes `invalid_request`. */
export class InvalidMessage extends Error {
  override readonly name = "InvalidMessage";
  /** `parse`: not JSON at all (JSON-RPC −32700); `shape`: JSON, but not a message (−32600). */
  readonly kind: "parse" | "shape";
  /** The caller's own id as it was written, where one could be read. */
  readonly own: string | undefined;

  constructor(kind: "parse" | "shape", message: string, own?: string) {
    super(message);
    this.kind = kind;
    this.own = own;
  }
}
