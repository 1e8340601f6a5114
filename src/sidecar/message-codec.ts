/** The codec of the messages that cross the thread boundary. */

import type { MessagePort } from "node:worker_threads";
import type { Gap, Message, Page } from "../core/messages/journal.ts";
import { HEAVY_BYTES, isKind, type Replied, type RequestKind } from "../core/outcome.ts";
import type { Body } from "../protocols/protocol.ts";
import type { FromThread, NoPage, ToThread } from "./contract.ts";
import type { UpstreamNumbers } from "./upstream-numbers.ts";

/**
 * Requests, replies and parts cross as a run of plain values, their columns, in the row of a batch: there are thousands
 * of them, and cloning an object costs as much for the names of its members as for their values. Words and names cross
 * as numbers, since a short text costs several times as much. Every other message is an object in the row.
 *
 * The compiler checks each hot message in both directions. `Columns` needs a column for every field of the contract's
 * type, `RowWriter` a value for every column, and `Complete` every field, even an optional one, from the unpacker.
 */
type Row<Plain> = readonly (Column | Plain)[];

export type RowToThread = Row<PlainToThread>;
export type RowFromThread = Row<PlainFromThread>;

/** The requests that have a key are few, and the only ones to pay for it: they cross as objects. */
type Request = Omit<Extract<ToThread, { type: "request" }>, "key">;
type Part = Extract<FromThread, { type: "part" }>;
type Ended = Extract<FromThread, { type: "settled" | "late" }>;
type PageMessage = Extract<FromThread, { type: "page" }>;
type Send = Omit<Extract<ToThread, { type: "send" }>, "key">;
type KeyedMessage = Extract<ToThread, { type: "request" | "send" }>;
/** The body is beside the rest, and packed. */
type PackedKeyed = { readonly type: "keyed"; readonly rest: KeyedMessage; readonly body: PackedBody };
type PlainToThread = Exclude<ToThread, KeyedMessage> | PackedKeyed;
type PlainFromThread = Exclude<FromThread, Part | PageMessage> | PackedPage;

type Column = string | number | boolean | ArrayBuffer;
type Packed<Value> = Value extends Uint8Array ? ArrayBuffer : Value extends Word ? (typeof NUMBERS)[Value] : Value;
/** An upstream crosses as its name if it has no number. */
type PackedField<Message, Field extends keyof Message> = Field extends "upstream"
  ? string | number
  : Packed<Complete<Message>[Field]>;
type Complete<Message> = { readonly [Field in keyof Message]-?: Message[Field] };

/** The columns of a message: one for each of `Fields`. If these leave out a field of the message, no value fits. */
type Columns<Message, Fields extends readonly (keyof Message)[]> = [Exclude<keyof Message, Fields[number]>] extends [
  never,
]
  ? { -readonly [Index in keyof Fields]: PackedField<Message, Fields[Index]> }
  : [{ readonly columnMissingFor: Exclude<keyof Message, Fields[number]> }];

/** A row that takes the columns of whole messages only. */
interface RowWriter<Whole extends readonly unknown[]> {
  push(...columns: Whole): unknown;
}

/**
 * Replies are transferred instead of copied from this size on, a long text as its bytes, which also spares the HTTP
 * side the encoding. Below it the copy costs less than the bookkeeping.
 */
const TRANSFER_BYTES = HEAVY_BYTES;

const encoder = new TextEncoder();

/** The numbers of the kinds of requests, then of the other types of frequent messages. */
const NUMBERS = {
  request: 0,
  rpc: 1,
  send: 2,
  confirm: 3,
  stream: 4,
  bytes: 5,
  settled: 6,
  late: 7,
  part: 8,
} as const satisfies Readonly<Record<RequestKind, number>> & Readonly<Record<string, number>>;
type Word = keyof typeof NUMBERS;
const KINDS = Object.keys(NUMBERS).filter(isKind);

/** Appends a message to the row of a batch; the buffers that the receiver is to own are appended to `transfer`. */
export type Pack<Sent> = (message: Sent, row: unknown[], transfer: Transferred[]) => void;

/** The objects that the receiver is to own. */
export type Transferred = ArrayBuffer | MessagePort;

/** Packs messages whose upstreams have these numbers. */
export function packToThread(numbers: UpstreamNumbers): Pack<ToThread> {
  return (message, row: RowWriter<RequestColumns | SendColumns | [PlainToThread]>, transfer) => {
    if (message.type === "request" || message.type === "send") {
      if (message.key) row.push(packKeyed(message));
      else if (message.type === "request") packRequest(message, row, numbers);
      else packSend(message, row, numbers);
    } else row.push(message);
    if (message.type === "line") transfer.push(message.port);
  };
}

/**
 * Calls `take` with each message of a row, in order.
 * @param skew the milliseconds that this thread's clock is ahead of the sender's: deadlines are by ours from here on
 */
export function unpackToThread(
  row: RowToThread,
  { numbers, skew }: { readonly numbers: UpstreamNumbers; readonly skew: number },
  take: (message: ToThread) => void,
): void {
  const reader = new RowReader(row, numbers, skew);
  for (let first = reader.next(); first !== undefined; first = reader.next()) {
    if (first === NUMBERS.request) take(unpackRequest(reader));
    else if (first === NUMBERS.send) take(unpackSend(reader));
    else if (!isPlain(first)) throw reader.malformed("the beginning of a message");
    else take(first.type === "keyed" ? unpackKeyed(first, skew) : first);
  }
}

/** Packs messages whose upstreams have these numbers. */
export function packFromThread(numbers: UpstreamNumbers): Pack<FromThread> {
  return (message, row: RowWriter<ReplyColumns | PartColumns | [PlainFromThread]>, transfer) => {
    switch (message.type) {
      case "settled":
      case "late":
        if (message.outcome.type === "reply") packReply(message, message.outcome, row, numbers, transfer);
        else row.push(message);
        break;
      case "part":
        packPart(message, row, numbers, transfer);
        break;
      case "page":
        row.push(packPage(message));
        break;
      default:
        row.push(message);
    }
  };
}

/** Calls `take` with each message of a row, in order. */
export function unpackFromThread(
  row: RowFromThread,
  numbers: UpstreamNumbers,
  take: (message: FromThread) => void,
): void {
  const reader = new RowReader(row, numbers);
  for (let first = reader.next(); first !== undefined; first = reader.next()) {
    if (first === NUMBERS.settled) take(unpackReply("settled", reader));
    else if (first === NUMBERS.late) take(unpackReply("late", reader));
    else if (first === NUMBERS.part) take(unpackPart(reader));
    else if (!isPlain(first)) throw reader.malformed("the beginning of a message");
    else take(first.type === "page" ? unpackPage(first) : first);
  }
}

// Requests.

type RequestColumns = Columns<Request, ["type", "upstream", "seq", "kind", "body", "deadline"]>;

/** Copies the body, never transfers it: the caller may need its bytes again, to try an equivalent upstream. */
function packRequest(
  { type, upstream, seq, kind, body, deadline }: Request,
  row: RowWriter<RequestColumns>,
  numbers: UpstreamNumbers,
): void {
  row.push(NUMBERS[type], packUpstream(upstream, numbers), seq, NUMBERS[kind], packBody(body), deadline);
}

function unpackRequest(row: RowReader<unknown>): Complete<Request> {
  return {
    type: "request",
    upstream: row.upstream(),
    seq: row.number(),
    kind: row.kind(),
    body: row.body(),
    deadline: row.deadline(),
  };
}

// Messages that nothing answers.

type SendColumns = Columns<Send, ["type", "upstream", "seq", "kind", "body", "deadline", "inSeries", "over"]>;

function packSend(
  { type, upstream, seq, kind, body, deadline, inSeries, over }: Send,
  row: RowWriter<SendColumns>,
  numbers: UpstreamNumbers,
): void {
  const name = packUpstream(upstream, numbers);
  row.push(NUMBERS[type], name, seq, NUMBERS[kind], packBody(body), deadline, inSeries, over);
}

function unpackSend(row: RowReader<unknown>): Complete<Send> {
  return {
    type: "send",
    upstream: row.upstream(),
    seq: row.number(),
    kind: row.kind() === "confirm" ? "confirm" : "send",
    body: row.body(),
    deadline: row.deadline(),
    inSeries: row.boolean(),
    over: row.number(),
  };
}

// Messages with an Idempotency-Key: objects, with packed bodies.

function packKeyed(message: KeyedMessage): PackedKeyed {
  return { type: "keyed", rest: { ...message, body: "" }, body: packBody(message.body) };
}

function unpackKeyed({ rest, body }: PackedKeyed, skew: number): KeyedMessage {
  return { ...rest, body: unpackBody(body), deadline: rest.deadline + skew };
}

// Replies: `settled` and `late`, if their outcome is a reply.

type ReplyFields<Each extends Ended> = Omit<Each, "outcome"> & Omit<Replied, "type">;
type ReplyOrder = ["type", "upstream", "seq", "body", "isText", "isCut", "queueMs", "upstreamMs"];
type ReplyColumns =
  | Columns<ReplyFields<Ended & { type: "settled" }>, ReplyOrder>
  | Columns<ReplyFields<Ended & { type: "late" }>, ReplyOrder>;

function packReply(
  { type, upstream, seq }: Ended,
  { body, isText = false, isCut = false, queueMs, upstreamMs }: Replied,
  row: RowWriter<ReplyColumns>,
  numbers: UpstreamNumbers,
  transfer: Transferred[],
): void {
  const isLongText = typeof body === "string" && body.length >= TRANSFER_BYTES;
  const packed = transferred(isLongText ? encoder.encode(body) : body, transfer);
  const name = packUpstream(upstream, numbers);
  row.push(NUMBERS[type], name, seq, packed, isLongText || isText, isCut, queueMs, upstreamMs);
}

function unpackReply(type: Ended["type"], row: RowReader<unknown>): Complete<Ended> {
  return { type, upstream: row.upstream(), seq: row.number(), outcome: unpackReplied(row) };
}

function unpackReplied(row: RowReader<unknown>): Complete<Replied> {
  return {
    type: "reply",
    body: row.body(),
    isText: row.boolean(),
    isCut: row.boolean(),
    queueMs: row.number(),
    upstreamMs: row.number(),
  };
}

// Parts of a streamed reply.

type PartColumns = Columns<Part, ["type", "upstream", "seq", "body"]>;

function packPart(
  { type, upstream, seq, body }: Part,
  row: RowWriter<PartColumns>,
  numbers: UpstreamNumbers,
  transfer: Transferred[],
): void {
  row.push(NUMBERS[type], packUpstream(upstream, numbers), seq, transferred(body, transfer));
}

function unpackPart(row: RowReader<unknown>): Complete<Part> {
  return { type: "part", upstream: row.upstream(), seq: row.number(), body: row.body() };
}

// Pages: objects, with packed bodies.

type PackedBody = Packed<Body>;
type PackedEntry = Gap | (Omit<Message, "data"> & { readonly data: PackedBody });
type PackedPage = Omit<PageMessage, "page"> & {
  readonly page: (Omit<Page, "entries"> & { readonly entries: readonly PackedEntry[] }) | NoPage;
};

function packPage({ page, ...message }: PageMessage): PackedPage {
  if (typeof page === "string") return { ...message, page };
  const entries = page.entries.map((entry) => ("gap" in entry ? entry : { ...entry, data: packBody(entry.data) }));
  return { ...message, page: { ...page, entries } };
}

function unpackPage({ page, ...message }: PackedPage): PageMessage {
  if (typeof page === "string") return { ...message, page };
  const entries = page.entries.map((entry) => ("gap" in entry ? entry : { ...entry, data: unpackBody(entry.data) }));
  return { ...message, page: { ...page, entries } };
}

// Columns.

function packUpstream(name: string, numbers: UpstreamNumbers): string | number {
  return numbers.numberOf(name) ?? name;
}

/**
 * Bytes cross as a buffer of their own. A view into a larger buffer would drag all of it along, and Deno 2.9 takes
 * 120 ns for each element of a typed array that arrives: a second for 8 MB.
 */
function packBody(body: Body): PackedBody {
  if (typeof body === "string") return body;
  const { buffer } = body;
  const isWhole =
    buffer instanceof ArrayBuffer && body.byteLength === buffer.byteLength && body.constructor === Uint8Array;
  return isWhole ? buffer : new Uint8Array(body).buffer;
}

function transferred(body: Body, transfer: Transferred[]): PackedBody {
  const packed = packBody(body);
  if (typeof packed !== "string" && packed.byteLength >= TRANSFER_BYTES) transfer.push(packed);
  return packed;
}

function unpackBody(packed: PackedBody): Body {
  return typeof packed === "string" ? packed : new Uint8Array(packed);
}

function isPlain<Plain>(first: Column | Plain): first is Plain {
  return typeof first === "object" && !(first instanceof ArrayBuffer);
}

/** Reads a row from its beginning, column by column. Throws a TypeError if a column is not of the expected type. */
class RowReader<Plain> {
  readonly #row: Row<Plain>;
  readonly #numbers: UpstreamNumbers;
  readonly #skew: number;
  #at = 0;

  constructor(row: Row<Plain>, numbers: UpstreamNumbers, skew = 0) {
    this.#row = row;
    this.#numbers = numbers;
    this.#skew = skew;
  }

  /** @returns the next column, of whatever type; undefined at the end */
  next(): Column | Plain | undefined {
    return this.#row[this.#at++];
  }

  /** The name of an upstream; empty if it has left, and so is nobody's. */
  upstream(): string {
    const value = this.next();
    if (typeof value === "number") return this.#numbers.nameOf(value) ?? "";
    if (typeof value !== "string") throw this.malformed("an upstream");
    return value;
  }

  number(): number {
    const value = this.next();
    if (typeof value !== "number") throw this.malformed("a number");
    return value;
  }

  deadline(): number {
    return this.number() + this.#skew;
  }

  boolean(): boolean {
    const value = this.next();
    if (typeof value !== "boolean") throw this.malformed("a boolean");
    return value;
  }

  kind(): RequestKind {
    const kind = KINDS[this.number()];
    if (!kind) throw this.malformed("a kind of request");
    return kind;
  }

  body(): Body {
    const value = this.next();
    if (typeof value !== "string" && !(value instanceof ArrayBuffer)) throw this.malformed("text or bytes");
    return unpackBody(value);
  }

  malformed(expected: string): TypeError {
    return new TypeError(`malformed batch: column ${this.#at - 1} is not ${expected}`);
  }
}
