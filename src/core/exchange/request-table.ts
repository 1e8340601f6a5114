/** The table of the requests in flight, by their ids on the wire and by their owners' numbers. */
import type { Body, WireId } from "../../protocols/protocol.ts";
import type { RequestKind } from "../outcome.ts";
import { type SizedIterable, TransientMap, TransientSet } from "../util/transient.ts";
import type { Add } from "./additions.ts";
import type { OpenBatch } from "./batch.ts";

/** The side that made a request: a caller, through the host, or the upstream's subscriptions. Each numbers its own. */
export type Owner = "caller" | "subscriptions";

/** A request as it comes from its owner. */
export interface NewRequest {
  /** The owner's number, which none of its open requests has. */
  readonly seq: number;
  readonly kind: RequestKind;
  readonly body: Body;
  /** When its owner gives up, by the clock of `now`. */
  readonly deadline: number;
  /** True if its owner knows that nothing answers it. */
  readonly unanswered?: boolean | undefined;
  /** Set for one of several messages that must all go over one connection. */
  readonly series?: Series | undefined;
}

/** A message of a series is done once the operating system has taken it, so that the next one has room. */
export interface Series {
  /** The connection of those before it; undefined for the first. */
  readonly connection: number | undefined;
}

/** A request as its owner knows it: one message, or a batch of several that end together. */
export interface OwnedRequest {
  readonly owner: Owner;
  /** The owner's number of the request. */
  readonly seq: number;
  /** Undefined for a single message. */
  readonly batch: OpenBatch | undefined;
}

/** A message that is encoded when it goes out. */
export interface LateMessage {
  /** True if its id is drawn only then. */
  readonly drawsId: boolean;
  encode(id: number, connection: number): Body;
}

/** Before an entry's frame is handed to a socket: it waits for a connection, or for its turn on one. */
export interface HeldPhase {
  readonly type: "held";
  readonly message: Body | LateMessage;
  readonly bytes: number;
  /** Completes the frame at the last moment. */
  readonly add: Add | undefined;
  /** The only connection that it may go over; undefined if any will do. */
  readonly over: number | undefined;
}

/** From the moment when an entry's frame is handed to a socket. */
export interface SentPhase {
  readonly type: "sent";
  readonly connection: number;
  /** The place among all frames that were handed to that connection, from 1. */
  readonly order: number;
  readonly at: number;
  /** How many frames that answer nothing had come before. */
  readonly heard: number;
  /** True once a frame other than its reply shows that the upstream has it. */
  acknowledged: boolean;
  /** The conditions that must all be met for the end of its reply, and have been, as bits. */
  met: number;
  /** True once a frame of a reply as bytes says that they are not all. */
  isCut: boolean;
}

interface CommonEntry {
  /** The items of a batch share it. */
  readonly request: OwnedRequest;
  /** The place within its batch; 0 for a single message. */
  readonly index: number;
  /** Our id, or a caller's own. Undefined for a message without one, and where ids increase until it is sent. */
  wire: WireId | undefined;
  readonly expectsReply: boolean;
  /** True if certainly nothing answers it. */
  readonly unanswered: boolean;
  /** True if it is one of a series. */
  readonly inSeries: boolean;
  /** True if its caller waits for a pong that proves that the peer has it. */
  readonly confirms: boolean;
  /** True if each frame of its reply is passed on as it comes. From the first one it has no deadline. */
  readonly streams: boolean;
  /** True for a stream of which only the bytes are passed on. */
  readonly bytesOnly: boolean;
  /** True for a stream whose first frame may be long in coming: it has no deadline once it is on a socket. */
  readonly subscribes: boolean;
  /** Kept for the protocol, which restores the caller's own id from it. */
  readonly own: unknown;
  readonly deadline: number;
  /** The moment for which it is filed on the wheel: its deadline, or before it the end of waiting for a connection. */
  dueAt: number;
  readonly arrivedAt: number;
}

export interface HeldEntry extends CommonEntry {
  readonly phase: HeldPhase;
}

export interface SentEntry extends CommonEntry {
  readonly phase: SentPhase;
}

/**
 * One message of a request, from its arrival on the thread to its outcome. Only {@link RequestTable.send} changes its
 * phase. Everything that differs between the phases is inside `phase`, so that all entries have one shape.
 */
export type Entry = HeldEntry | SentEntry;

export function isSent(entry: Entry): entry is SentEntry {
  return entry.phase.type === "sent";
}

function isSentOn(connection: number, entry: Entry): entry is SentEntry {
  return isSent(entry) && entry.phase.connection === connection;
}

/**
 * The key on the wire is (connection, id): a reply over another connection than that of its request does not answer it.
 */
export class RequestTable {
  readonly #byWire = new TransientMap<WireId, Entry>();
  readonly #bySeq: Readonly<Record<Owner, TransientMap<number, Entry[]>>> = {
    caller: new TransientMap(),
    subscriptions: new TransientMap(),
  };
  readonly #held: Readonly<Record<Owner, TransientSet<HeldEntry>>> = {
    caller: new TransientSet(),
    subscriptions: new TransientSet(),
  };
  readonly #streaming = new TransientSet<SentEntry>();
  #heldBytes = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Entries that are not on a socket yet, in the order of their arrival. */
  get held(): Readonly<Record<Owner, SizedIterable<HeldEntry>>> {
    return this.#held;
  }

  /** All of `held`, callers first. */
  allHeld(): HeldEntry[] {
    return [...this.#held.caller, ...this.#held.subscriptions];
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** How many sent entries may still get their reply. Streams do not count: one may go on without end. */
  get onTheWire(): number {
    return this.#size - this.#held.caller.size - this.#held.subscriptions.size - this.#streaming.size;
  }

  /** True if a caller may still get a reply. Nobody waits for the one to a subscription's request. */
  get owesCallers(): boolean {
    for (const entries of this.#bySeq.caller.values()) {
      if (entries.some((entry) => isSent(entry) && !entry.streams)) return true;
    }
    return false;
  }

  /** How many sent entries are streams. */
  get streaming(): number {
    return this.#streaming.size;
  }

  /** When the request came that was taken in before all others; undefined if there is none. */
  get firstArrivedAt(): number | undefined {
    const firsts = [this.#bySeq.caller, this.#bySeq.subscriptions].flatMap((bySeq) => {
      const [entries = []] = bySeq.values();
      return entries.slice(0, 1).map(({ arrivedAt }) => arrivedAt);
    });
    return firsts.length === 0 ? undefined : Math.min(...firsts);
  }

  has(wire: WireId): boolean {
    return this.#byWire.has(wire);
  }

  add(entry: HeldEntry): void {
    this.#size++;
    if (entry.wire !== undefined) this.#byWire.set(entry.wire, entry);
    const { owner, seq } = entry.request;
    const siblings = this.#bySeq[owner].get(seq);
    if (siblings) siblings.push(entry);
    else this.#bySeq[owner].set(seq, [entry]);
    this.#held[owner].add(entry);
    this.#heldBytes += entry.phase.bytes;
  }

  /** Moves an entry to its sent phase. The table drops its frame. */
  send(held: HeldEntry, wire: WireId | undefined, phase: SentPhase): SentEntry {
    this.#release(held);
    // The same object in its other phase: copying it would allocate an entry more for each request.
    const entry = held as CommonEntry as { -readonly [Key in keyof SentEntry]: SentEntry[Key] };
    entry.phase = phase;
    if (wire !== undefined && wire !== entry.wire) this.#byWire.set(wire, entry);
    entry.wire = wire;
    if (entry.streams) this.#streaming.add(entry);
    return entry;
  }

  /** The entry that a reply on this connection answers. */
  match(connection: number, wire: WireId): SentEntry | undefined {
    const entry = this.#byWire.get(wire);
    return entry !== undefined && isSentOn(connection, entry) ? entry : undefined;
  }

  remove(entry: Entry): void {
    const { owner, seq } = entry.request;
    const siblings = this.#bySeq[owner].get(seq);
    const at = siblings?.indexOf(entry) ?? -1;
    if (siblings === undefined || at < 0) return;
    if (!isSent(entry)) this.#release(entry);
    else if (entry.streams) this.#streaming.delete(entry);
    this.#size--;
    if (entry.wire !== undefined) this.#byWire.delete(entry.wire);
    if (siblings.length === 1) this.#bySeq[owner].delete(seq);
    else siblings.splice(at, 1);
  }

  /** True until the entry has been removed. */
  contains(entry: Entry): boolean {
    const { owner, seq } = entry.request;
    return this.#bySeq[owner].get(seq)?.includes(entry) ?? false;
  }

  /** How many places one request has. */
  placesOf(owner: Owner, seq: number): number {
    return this.#bySeq[owner].get(seq)?.length ?? 0;
  }

  /** The entries of one request. */
  entriesOf(owner: Owner, seq: number): readonly Entry[] {
    return [...(this.#bySeq[owner].get(seq) ?? [])];
  }

  /** All entries; those of each owner in the order of their arrival. */
  all(): Entry[] {
    return Object.values(this.#bySeq).flatMap((bySeq) => [...bySeq.values()].flat());
  }

  /** The entries that were handed to this connection, in the order of `all`. */
  sentOn(connection: number): SentEntry[] {
    return this.all().filter((entry) => isSentOn(connection, entry));
  }

  /** True if a reply may still come over this connection. */
  awaits(connection: number): boolean {
    for (const bySeq of Object.values(this.#bySeq)) {
      for (const entries of bySeq.values()) {
        if (entries.some((entry) => isSentOn(connection, entry))) return true;
      }
    }
    return false;
  }

  #release(entry: HeldEntry): void {
    if (this.#held[entry.request.owner].delete(entry)) this.#heldBytes -= entry.phase.bytes;
  }
}
