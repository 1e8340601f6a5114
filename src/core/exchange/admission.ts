/** The admission of new requests: each is taken in, or refused for a limit, a mistake in it, or a passed deadline. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { type Body, type Encoded, InvalidMessage, type Protocol, type SendRoute } from "../../protocols/protocol.ts";
import { isStream, type RequestKind } from "../outcome.ts";
import { flat } from "../util/flat.ts";
import { isFair } from "../util/shares.ts";
import type { Add } from "./additions.ts";
import { OpenBatch } from "./batch.ts";
import { BatchQueue, type WaitingBatch } from "./batch-queue.ts";
import * as failures from "./failures.ts";
import type { InFlight } from "./in-flight.ts";
import type { LateMessage, NewRequest, OwnedRequest, Owner } from "./request-table.ts";
import type { SendQueue } from "./send-queue.ts";

type AdmissionLimits = Pick<
  UpstreamSettings["limits"],
  "in_flight" | "batch_items" | "request_bytes" | "buffered_bytes"
>;

/** The part of all places that batches leave to single requests. */
const LEFT_TO_OTHERS = 0.125;

export class Admission {
  readonly #protocol: Protocol;
  #inFlightMax = 0;
  #itemsMax = 0;
  #bytesMax = 0;
  #bufferedMax = 0;
  readonly #requests: InFlight;
  readonly #sendQueue: SendQueue;
  readonly #expire: (now: number) => void;
  readonly #add: Add | undefined;
  readonly #waiting = new BatchQueue();
  #closed = false;

  /**
   * @param expire ends requests past their deadline. Called if there is no room: on a busy thread the timer is late
   * @param add completes the messages of callers
   */
  constructor(
    protocol: Protocol,
    limits: AdmissionLimits,
    requests: InFlight,
    sendQueue: SendQueue,
    expire: (now: number) => void,
    add?: Add,
  ) {
    this.#protocol = protocol;
    this.#requests = requests;
    this.#sendQueue = sendQueue;
    this.#expire = expire;
    this.#add = add;
    this.reconfigure(limits);
  }

  /** Admits by other limits from here on; what was admitted stays. */
  reconfigure(limits: AdmissionLimits): void {
    this.#inFlightMax = Math.min(limits.in_flight, this.#requests.correlation.capacity);
    this.#itemsMax = limits.batch_items;
    this.#bytesMax = limits.request_bytes;
    this.#bufferedMax = limits.buffered_bytes;
  }

  /** How many requests may be in flight at once. */
  get inFlightMax(): number {
    return this.#inFlightMax;
  }

  /** When `expireWaiting` must be called; undefined if no batch waits for places. */
  get nextDeadline(): number | undefined {
    return this.#waiting.nextDeadline;
  }

  /** From here on every request is refused. */
  close(): void {
    this.#closed = true;
    this.failWaiting(failures.shuttingDown);
  }

  /**
   * @param buffered bytes handed to the socket that it could not yet pass on
   * @returns false if it is not a message at all, and was refused for that
   */
  take(owner: Owner, incoming: NewRequest, now: number, buffered: number): boolean {
    let items: readonly string[] | undefined;
    try {
      if (!isStream(incoming.kind)) items = this.#itemsOf(incoming.body);
    } catch (error) {
      this.#requests.refuse({ owner, seq: incoming.seq, batch: undefined }, 0, failures.invalid(error));
      return false;
    }
    const problem = this.#problem(owner, incoming, items, now, buffered);
    const request = { owner, seq: incoming.seq, batch: items && new OpenBatch(items.length, this.#requests.budget) };
    if (items === undefined) {
      this.#admit(request, incoming, 0, incoming.body, problem, now, now);
    } else {
      const batch = { request, incoming, items, arrivedAt: now, next: 0, bytes: sizeOf(incoming.body) };
      this.#waiting.add(batch);
      if (problem) this.#refuseRest(batch, problem);
    }
    return true;
  }

  /** The items of a batch; undefined for a single message. Throws {@link InvalidMessage}. */
  #itemsOf(body: Body): readonly string[] | undefined {
    const items = this.#protocol.split?.(body, this.#itemsMax);
    if (items === undefined || items.length <= this.#itemsMax) return items;
    const detail = `the batch has more than ${this.#itemsMax} items (limits.batch_items): send it in several`;
    throw new InvalidMessage("shape", detail);
  }

  /** Takes in the items of batches that there are places for. Call whenever a place may have become free. */
  admitWaiting(now: number): void {
    while (!this.#waiting.isEmpty) {
      const free = this.#inFlightMax - this.#requests.table.size;
      const item = free > 0 ? this.#waiting.take((batch) => this.#mayHave(batch, free)) : undefined;
      if (!item) return;
      const { request, incoming, arrivedAt } = item.batch;
      this.#admit(request, incoming, item.index, item.body, undefined, now, arrivedAt);
    }
  }

  /**
   * True if a batch may have one more of the free places. A batch that has many leaves as many free, and all batches
   * together leave some to others; but one that has none may have the last.
   */
  #mayHave({ request: { owner, seq } }: WaitingBatch, free: number): boolean {
    const places = this.#requests.table.placesOf(owner, seq);
    return places === 0 || (isFair(places, free) && free > this.#inFlightMax * LEFT_TO_OTHERS);
  }

  /** Fails the items that have waited for a place until the deadline of their batch. */
  expireWaiting(now: number): void {
    for (const batch of this.#waiting.due(now)) {
      this.#refuseRest(batch, failures.noPlace(now - batch.arrivedAt, this.#inFlightMax));
    }
  }

  /** Fails the items that wait for a place. */
  failWaiting(failure: Failure): void {
    for (const batch of this.#waiting.all()) this.#refuseRest(batch, failure);
  }

  /** Drops what waits of the owner's requests, or of one of them, without an outcome. */
  drop(owner: Owner, seq?: number): number {
    return this.#waiting.isEmpty ? 0 : this.#waiting.drop(owner, seq);
  }

  #refuseRest(batch: WaitingBatch, failure: Failure): void {
    for (const { index, body } of this.#waiting.takeAll(batch)) {
      this.#admit(batch.request, batch.incoming, index, body, failure, batch.arrivedAt, batch.arrivedAt);
    }
  }

  /**
   * The failure of a request that is not taken in; for a batch, all its items share it. A single message needs a place
   * at once; a batch may wait for its places, of which it leaves others as many as it takes.
   */
  #problem(
    owner: Owner,
    incoming: NewRequest,
    items: readonly string[] | undefined,
    now: number,
    buffered: number,
  ): Failure | undefined {
    const count = items?.length ?? 1;
    if (this.#requests.table.size + count > this.#inFlightMax) {
      this.#expire(now);
      this.admitWaiting(now);
    }
    const { size, heldBytes } = this.#requests.table;
    if (this.#closed) return failures.shuttingDown;
    if (incoming.deadline <= now) return failures.unsentInTime(0);
    if (owner === "caller" && sizeOf(incoming.body) > this.#bytesMax) return failures.tooLarge(this.#bytesMax);
    if (!items && size >= this.#inFlightMax) return this.#full(now);
    const over = incoming.series?.connection;
    if (over !== undefined && !this.#sendQueue.isOn(over)) return failures.anotherConnection;
    const problem = this.#sendQueue.problem(owner, count, now);
    if (problem) return problem;
    const waiting = heldBytes + this.#waiting.bytes + buffered + sizeOf(incoming.body);
    return waiting > this.#bufferedMax ? failures.congested(this.#bufferedMax) : undefined;
  }

  #full(now: number): Failure {
    const { size, firstArrivedAt = now, streaming } = this.#requests.table;
    return failures.tooMany(size, this.#inFlightMax, now - firstArrivedAt, streaming);
  }

  #admit(
    request: OwnedRequest,
    { kind, deadline, unanswered, series }: Omit<NewRequest, "seq" | "body">,
    index: number,
    body: Body,
    problem: Failure | undefined,
    now: number,
    arrivedAt: number,
  ): void {
    const { correlation } = this.#requests;
    const { ids = "ours" } = this.#protocol;
    const route = isSend(kind) ? "send" : isStream(kind) ? "request" : kind;
    // A refused message needs no id; and if all ids are taken, none could be drawn.
    const drawn = problem || ids !== "ours" ? undefined : correlation.draw();
    let encoded: Encoded;
    try {
      encoded = this.#protocol.encode(body, drawn ?? 0, route);
    } catch (error) {
      this.#requests.refuse(request, index, failures.invalid(error));
      return;
    }
    const expectsReply = encoded.expectsReply && !isSend(kind);
    // A message that expects no reply may carry the id of another request, to say something about it.
    const own = expectsReply ? encoded.id : undefined;
    const taken = own !== undefined && correlation.isTaken(own);
    const reserved = own !== undefined && this.#requests.configured.isReserved(own);
    const failure = problem ?? (reserved ? failures.idReserved : taken ? failures.idTaken : undefined);
    if (failure) {
      this.#requests.refuse(request, index, failures.failed(failure, encoded.own));
      return;
    }
    // The id or the connection is known only when it goes out: until then the body is held.
    const isLate = ids === "increasing" || this.#protocol.states !== undefined;
    this.#requests.add({
      request,
      index,
      wire: flatId(own) ?? drawn,
      expectsReply,
      unanswered: !expectsReply && (unanswered === true || encoded.unanswered === true),
      inSeries: series !== undefined,
      confirms: kind === "confirm",
      streams: isStream(kind),
      bytesOnly: kind === "bytes",
      subscribes: isStream(kind) && encoded.subscribes === true,
      own: flatId(encoded.own),
      deadline,
      dueAt: this.#sendQueue.dueAt(deadline, now),
      arrivedAt,
      phase: {
        type: "held",
        message: isLate ? this.#late(body, route, ids === "increasing") : encoded.frame,
        bytes: Math.max(sizeOf(encoded.frame), isLate ? sizeOf(body) : 0),
        add: request.owner === "caller" ? this.#add : undefined,
        over: series?.connection,
      },
    });
  }

  #late(body: Body, route: SendRoute, drawsId: boolean): LateMessage {
    return { drawsId, encode: (id, connection) => this.#protocol.encode(body, id, route, connection).frame };
  }
}

/** The id without the message that it is a slice of, which would live for as long as the request. */
function flatId<Id>(id: Id): Id | string {
  return typeof id === "string" ? flat(id) : id;
}

function isSend(kind: RequestKind): kind is "send" | "confirm" {
  return kind === "send" || kind === "confirm";
}

/** The size in bytes; of text the number of UTF-16 units, which is near enough for a bound and needs no encoding. */
export function sizeOf(body: Body): number {
  return body.length;
}
