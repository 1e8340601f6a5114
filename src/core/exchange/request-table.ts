import type { Body, WireId } from "../../protocols/protocol.ts";
import type { Batch } from "./batch.ts";

/** Who made a request: a caller, through the host, or the upstream's subscriptions. Each numbers its own requests. */
export type Owner = "caller" | "subscriptions";

/** A request as its owner knows it: one message, or a batch of several that end together. */
export interface OwnedRequest {
  readonly owner: Owner;
  /** The owner's number of the request. */
  readonly seq: number;
  /** Undefined for a single message. */
  readonly batch: Batch | undefined;
}

/** One message of a caller, from its arrival on the thread to its one ending. */
export interface Entry {
  /** The items of a batch share it. */
  readonly request: OwnedRequest;
  /** The place within its batch; 0 for a single message. */
  readonly index: number;
  /** 0 while it has none: where ids increase, they are drawn when a message is handed to the socket. */
  wire: WireId;
  readonly expectsReply: boolean;
  /** Whether somebody waits until a pong proves that the peer has it. */
  readonly confirms: boolean;
  /** Whether each frame of its reply is handed on as it comes. From the first on it has no deadline. */
  readonly streams: boolean;
  /** A stream that has none from when it is on a socket. */
  readonly subscribes: boolean;
  readonly own: unknown;
  /** What goes out; undefined once it has been handed to the socket. */
  frame: Body | undefined;
  /** Makes what goes out, where its id is drawn only then; undefined once it has. */
  number: ((wire: number) => Body) | undefined;
  readonly bytes: number;
  /** The connection that it was handed to; 0 while it has not been. */
  connection: number;
  /** Its place among all that was written to that connection, from 1. */
  order: number;
  readonly deadline: number;
  /** The moment for which it is filed on the wheel: its deadline, or before it the end of waiting for a connection. */
  dueAt: number;
  readonly arrivedAt: number;
  writtenAt: number;
  /** A frame showed that the upstream has it, though not the answer yet. */
  acknowledged: boolean;
}

/**
 * The requests in flight, by our id on the wire and by the host's number. The key on the wire is (connection, id): a reply
 * that comes over another connection than its request went out on is not its reply.
 */
export class RequestTable {
  readonly #byWire = new Map<WireId, Entry>();
  readonly #bySeq: Readonly<Record<Owner, Map<number, Entry[]>>> = { caller: new Map(), subscriptions: new Map() };
  readonly #held = new Set<Entry>();
  /** Streams that are on a socket. */
  readonly #streaming = new Set<Entry>();
  #heldBytes = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those that are not on a socket yet, in the order of their arrival. */
  get held(): ReadonlySet<Entry> {
    return this.#held;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Requests that are on a socket and whose reply may still come. A stream may go on for ever, and is not one. */
  get onTheWire(): number {
    return this.#size - this.#held.size - this.#streaming.size;
  }

  has(wire: WireId): boolean {
    return this.#byWire.has(wire);
  }

  add(entry: Entry): void {
    this.#size++;
    if (entry.wire !== 0) this.#byWire.set(entry.wire, entry);
    const { owner, seq } = entry.request;
    const siblings = this.#bySeq[owner].get(seq);
    if (siblings) siblings.push(entry);
    else this.#bySeq[owner].set(seq, [entry]);
    this.#held.add(entry);
    this.#heldBytes += entry.bytes;
  }

  /** Its id is drawn. */
  number(entry: Entry, wire: WireId): void {
    entry.wire = wire;
    this.#byWire.set(wire, entry);
  }

  /** It goes to a socket: gives its frame, which is kept no longer. */
  release(entry: Entry): Body | undefined {
    const { frame } = entry;
    if (this.#held.delete(entry)) this.#heldBytes -= entry.bytes;
    if (entry.streams) this.#streaming.add(entry);
    entry.frame = undefined;
    return frame;
  }

  /** The entry that a reply on this connection answers. */
  match(connection: number, wire: WireId): Entry | undefined {
    const entry = this.#byWire.get(wire);
    return entry !== undefined && entry.connection === connection ? entry : undefined;
  }

  remove(entry: Entry): void {
    const { owner, seq } = entry.request;
    const siblings = this.#bySeq[owner].get(seq);
    const at = siblings?.indexOf(entry) ?? -1;
    if (siblings === undefined || at < 0) return;
    if (entry.connection === 0) this.release(entry);
    if (entry.streams) this.#streaming.delete(entry);
    this.#size--;
    this.#byWire.delete(entry.wire);
    if (siblings.length === 1) this.#bySeq[owner].delete(seq);
    else siblings.splice(at, 1);
  }

  of(owner: Owner, seq: number): readonly Entry[] {
    return [...(this.#bySeq[owner].get(seq) ?? [])];
  }

  some(test: (entry: Entry) => boolean): boolean {
    for (const bySeq of Object.values(this.#bySeq)) {
      for (const entries of bySeq.values()) if (entries.some(test)) return true;
    }
    return false;
  }

  /** Those of each owner in the order of their arrival. */
  where(test: (entry: Entry) => boolean): Entry[] {
    return Object.values(this.#bySeq).flatMap((bySeq) => [...bySeq.values()].flat().filter(test));
  }
}
