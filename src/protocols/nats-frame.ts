/** Frames of the NATS client protocol (https://docs.nats.io/reference/protocols/client), as parts. */

import { concatenated, positionOf, textFrom } from "./bytes.ts";
import type { Body } from "./protocol.ts";

/** The names with their values, of which one name may have several. */
export type NatsHeaders = ReadonlyMap<string, readonly string[]>;

export interface NatsMessage {
  readonly subject: string;
  /** The id of the subscription that it belongs to. */
  readonly sid: string;
  /** The subject at which its sender waits for a reply. */
  readonly reply: string | undefined;
  /** The code with which the server itself replies, such as 503, and its words. */
  readonly status: number | undefined;
  readonly description: string | undefined;
  readonly headers: NatsHeaders;
  readonly payload: Uint8Array;
}

/** An operation of the server. */
export type NatsOperation =
  | { readonly type: "message"; readonly message: NatsMessage }
  /** `text`: JSON. */
  | { readonly type: "info"; readonly text: string }
  | { readonly type: "error"; readonly text: string }
  | { readonly type: "ping" | "pong" | "ok" };

/** A message to publish. */
export interface NatsPublication {
  readonly subject: string;
  readonly reply?: string | undefined;
  readonly headers: NatsHeaders;
  readonly payload: Uint8Array;
}

const VERSION = "NATS/1.0";

const encoder = new TextEncoder();

/** The first line of headers. */
const STATUS = /^NATS\/1\.0(?: +(\d{3})(?: +(.*))?)?$/;

/** The bytes of a publication. */
export function writePublication({ subject, reply, headers, payload }: NatsPublication): Uint8Array {
  const target = reply === undefined ? subject : `${subject} ${reply}`;
  if (headers.size === 0) return concatenated([`PUB ${target} ${payload.length}\r\n`, payload, "\r\n"]);
  const head = encoder.encode(`${VERSION}\r\n${headerLines(headers)}\r\n`);
  const lengths = `${head.length} ${head.length + payload.length}`;
  return concatenated([`HPUB ${target} ${lengths}\r\n`, head, payload, "\r\n"]);
}

function headerLines(headers: NatsHeaders): string {
  return [...headers].flatMap(([name, values]) => values.map((value) => `${name}: ${value}\r\n`)).join("");
}

/**
 * Takes a frame apart into its operations, of which it has whole ones: the server divides them among frames only for
 * browsers. Returns the reason if the frame is anything else.
 */
export function readOperations(frame: Body): readonly NatsOperation[] | { readonly why: string } {
  const bytes = typeof frame === "string" ? encoder.encode(frame) : frame;
  const operations: NatsOperation[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = positionOf(bytes, "\n", at);
    if (lineEnd < 0) return CUT;
    const line = textFrom(bytes.subarray(at, lineEnd)).trim();
    const read = readOperation(line, bytes, lineEnd + 1);
    if ("why" in read) return read;
    operations.push(read.operation);
    at = read.end;
  }
  return operations;
}

const CUT = {
  why: "the frame ends within an operation, as the server divides them for browsers: let no header user-agent go out",
};

type Read = { readonly operation: NatsOperation; readonly end: number } | { readonly why: string };

function readOperation(line: string, bytes: Uint8Array, end: number): Read {
  const [, name = "", rest = ""] = /^(\S+)(?:[ \t]+(.*))?$/s.exec(line) ?? [];
  switch (name.toUpperCase()) {
    case "MSG":
      return readMessage(rest.split(/[ \t]+/), false, bytes, end);
    case "HMSG":
      return readMessage(rest.split(/[ \t]+/), true, bytes, end);
    case "INFO":
      return { operation: { type: "info", text: rest }, end };
    case "-ERR":
      return { operation: { type: "error", text: rest.replace(/^'(.*)'$/s, "$1") }, end };
    case "PING":
      return { operation: { type: "ping" }, end };
    case "PONG":
      return { operation: { type: "pong" }, end };
    case "+OK":
      return { operation: { type: "ok" }, end };
    default:
      return { why: "the frame has an operation that is none of NATS" };
  }
}

/** Reads a message: its subject, its subscription, perhaps where to reply to, and its lengths in bytes. */
function readMessage(words: readonly string[], hasHeaders: boolean, bytes: Uint8Array, start: number): Read {
  const lengths = words.slice(hasHeaders ? -2 : -1);
  const [subject, sid, reply, ...others] = words.slice(0, -lengths.length);
  if (subject === undefined || sid === undefined || others.length > 0 || !lengths.every((each) => /^\d+$/.test(each)))
    return { why: "a message of the frame has no subject, no subscription or no length" };
  const size = Number(lengths.at(-1));
  const headSize = hasHeaders ? Number(lengths[0]) : 0;
  if (headSize > size) return { why: "a message of the frame has headers that are longer than it" };
  const end = start + size;
  if (end + 2 > bytes.length) return CUT;
  if (bytes[end] !== 13 || bytes[end + 1] !== 10) return { why: "a message of the frame is longer than it says" };
  const head = readHeaders(bytes.subarray(start, start + headSize));
  if ("why" in head) return head;
  const payload = bytes.subarray(start + headSize, end);
  return { operation: { type: "message", message: { subject, sid, reply, ...head, payload } }, end: end + 2 };
}

function readHeaders(
  bytes: Uint8Array,
): Pick<NatsMessage, "status" | "description" | "headers"> | { readonly why: string } {
  const headers = new Map<string, string[]>();
  if (bytes.length === 0) return { status: undefined, description: undefined, headers };
  const [first = "", ...lines] = textFrom(bytes).split("\r\n");
  const version = STATUS.exec(first);
  if (!version) return { why: `headers of the frame do not begin with ${VERSION}` };
  for (const line of lines) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    if (colon < 0) return { why: "a header of the frame has no colon" };
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  }
  const [, status, description] = version;
  return { status: status === undefined ? undefined : Number(status), description, headers };
}
