import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import type { Body, Encoded, Protocol } from "../../protocols/protocol.ts";
import type { RequestKind } from "../outcome.ts";
import { Batch } from "./batch.ts";
import * as failures from "./failures.ts";
import type { InFlight } from "./in-flight.ts";
import type { OwnedRequest, Owner } from "./request-table.ts";
import type { SendQueue } from "./send-queue.ts";

export interface NewRequest {
  /** The owner's number, which none of its open requests has. */
  readonly seq: number;
  readonly kind: RequestKind;
  readonly body: Body;
  /** When the caller gives up, by the clock of `now`. */
  readonly deadline: number;
}

type AdmissionLimits = Pick<UpstreamSettings["limits"], "in_flight" | "buffered_bytes">;

/** What callers bring is taken in as requests, or refused: for a limit, for a mistake in it, or because it is too late. */
export class Admission {
  readonly #protocol: Protocol;
  readonly #inFlightMax: number;
  readonly #bufferedMax: number;
  readonly #requests: InFlight;
  readonly #outgoing: SendQueue;
  readonly #expire: (now: number) => void;
  #closed = false;

  /** `expire` ends what is past its deadline, when there is no room: the timer of a busy thread comes late. */
  constructor(
    protocol: Protocol,
    limits: AdmissionLimits,
    requests: InFlight,
    outgoing: SendQueue,
    expire: (now: number) => void,
  ) {
    this.#protocol = protocol;
    this.#inFlightMax = Math.min(limits.in_flight, requests.correlation.capacity);
    this.#bufferedMax = limits.buffered_bytes;
    this.#requests = requests;
    this.#outgoing = outgoing;
    this.#expire = expire;
  }

  /** From here on nothing is taken in. */
  close(): void {
    this.#closed = true;
  }

  /**
   * @param buffered bytes handed to the socket that it could not yet pass on
   * @returns false when it is no message at all, and was refused for that
   */
  take(owner: Owner, call: NewRequest, now: number, buffered: number): boolean {
    let items: readonly string[] | undefined;
    try {
      if (call.kind !== "stream") items = this.#protocol.split?.(call.body);
    } catch (error) {
      this.#requests.refuse({ owner, seq: call.seq, batch: undefined }, 0, failures.invalid(error));
      return false;
    }
    const problem = this.#problem(call, items?.length ?? 1, now, buffered);
    const request = { owner, seq: call.seq, batch: items && new Batch(items.length) };
    if (items === undefined) {
      this.#admit(request, call, 0, call.body, problem, now);
    } else {
      items.forEach((item, index) => {
        this.#admit(request, call, index, item, problem, now);
      });
    }
    return true;
  }

  /** Why a call is not taken in; undefined when it is. */
  #problem(call: NewRequest, items: number, now: number, buffered: number): Failure | undefined {
    if (this.#requests.table.size + items > this.#inFlightMax) this.#expire(now);
    const { size, heldBytes } = this.#requests.table;
    if (this.#closed) return failures.shuttingDown;
    if (call.deadline <= now) return failures.timedOut("no", 0, "reply");
    if (items > this.#inFlightMax) return failures.batchTooLarge(items, this.#inFlightMax);
    if (size + items > this.#inFlightMax) return failures.tooMany(size, this.#inFlightMax);
    const problem = this.#outgoing.problem(items, now);
    if (problem) return problem;
    const waiting = heldBytes + buffered + sizeOf(call.body);
    return waiting > this.#bufferedMax ? failures.congested(this.#bufferedMax) : undefined;
  }

  #admit(
    request: OwnedRequest,
    call: NewRequest,
    index: number,
    body: Body,
    problem: Failure | undefined,
    now: number,
  ): void {
    const { correlation } = this.#requests;
    const { ids = "ours" } = this.#protocol;
    const mode = isSend(call.kind) ? "rpc" : call.kind === "stream" ? "request" : call.kind;
    // What is refused needs no id, and when all are taken there is none.
    const drawn = problem || ids !== "ours" ? undefined : correlation.draw();
    let encoded: Encoded;
    try {
      encoded = this.#protocol.encode(body, drawn ?? 0, mode);
    } catch (error) {
      this.#requests.refuse(request, index, failures.invalid(error));
      return;
    }
    const expectsReply = encoded.expectsReply && !isSend(call.kind);
    // What expects no reply may name another request, to say something about it.
    const own = expectsReply ? encoded.id : undefined;
    const taken = own !== undefined && correlation.isTaken(own);
    const failure = problem ?? (taken ? failures.idTaken : undefined);
    if (failure) {
      this.#requests.refuse(request, index, failures.failed(failure, encoded.own));
      return;
    }
    this.#requests.add({
      request,
      index,
      wire: own ?? drawn,
      expectsReply,
      confirms: call.kind === "confirm",
      streams: call.kind === "stream",
      subscribes: call.kind === "stream" && encoded.subscribes === true,
      own: encoded.own,
      deadline: call.deadline,
      dueAt: this.#outgoing.dueAt(call.deadline, now),
      arrivedAt: now,
      phase: {
        type: "held",
        message: ids === "increasing" ? (wire) => this.#protocol.encode(body, wire, mode).frame : encoded.frame,
        bytes: sizeOf(encoded.frame),
      },
    });
  }
}

function isSend(kind: RequestKind): kind is "send" | "confirm" {
  return kind === "send" || kind === "confirm";
}

/** Of a text the number of UTF-16 units: near enough to a bound, and known without encoding it. */
export function sizeOf(body: Body): number {
  return body.length;
}
