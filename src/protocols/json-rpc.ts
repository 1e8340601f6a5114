/**
 * Protocol for JSON-RPC 2.0 (https://www.jsonrpc.org/specification).
 *
 * The upstream sees our integer in place of the caller's id; the caller gets its own id back exactly as it wrote it.
 * Unknown members, such as Chrome's `sessionId`, pass through both ways.
 */

import { readsOf } from "./condition.ts";
import { type MemberSink, OPEN_BRACKET, type Span, skipSpace } from "./json-check.ts";
import { insertFirst, remove, replace } from "./json-edit.ts";
import { idOf, inKindOf, isJson, MAX_MESSAGE_DEPTH, nameOf, readFrame, readMessage, textOf } from "./json-message.ts";
import { elements, type JsonKind, keyAt, kindOf, stringAt } from "./json-text.ts";
import {
  type Adopted,
  type Body,
  type Decoded,
  type Encoded,
  InvalidMessage,
  type Protocol,
  type SendRoute,
} from "./protocol.ts";
import { joinedReads, type Reads, reading } from "./reads.ts";
import { type ErrorRule, unnamedErrors } from "./unnamed-errors.ts";

export interface JsonRpcOptions {
  /** Errors that name no request. By default those with `error` fail the request in flight if it is the only one. */
  readonly errors?: ErrorRule | undefined;
}

/** Builds the protocol with the options of the preset. Throws if a condition is invalid. */
export function jsonRpcWith({ errors }: JsonRpcOptions): Protocol {
  if (!errors) return jsonRpc;
  const errorIn = unnamedErrors(errors);
  return {
    ...jsonRpc,
    decode: reading(joinedReads(READS, readsOf(errors.when)), (frame: Body): Decoded => {
      const decoded = decode(frame);
      if (decoded.type !== "error" && decoded.type !== "message") return decoded;
      const json = readFrame(frame);
      const found = "why" in json ? undefined : errorIn(json);
      if (found) return decoded.type === "error" ? { ...found, error: decoded.error } : found;
      return decoded.type === "message" ? decoded : { type: "message", json: true };
    }),
  };
}

const READS: Reads = new Set(["id", "error"]);

export const jsonRpc: Protocol = {
  name: "json-rpc",
  correlation: "id",
  accepts: "json",
  maxId: Number.MAX_SAFE_INTEGER,
  idPlaces: ["/id"],
  split,
  encode,
  adopt,
  fault,
  decode: reading(READS, decode),
  replyTo,
};

/** The specification's error codes that we reply with ourselves. */
export const rpcErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  /** The first of the range -32000 to -32099, which is reserved for servers. */
  server: -32000,
} as const;

/** Builds an error response. `id` is the caller's id as written; undefined becomes null. `data` is optional. */
export function rpcError(id: string | undefined, code: number, message: string, data?: unknown): string {
  return rpcReply(id, JSON.stringify({ code, message, data }));
}

/** Builds an error response around an error that is JSON already. `id` as for {@link rpcError}. */
export function rpcReply(id: string | undefined, error: string): string {
  return `{"jsonrpc":"2.0","id":${id ?? "null"},"error":${error}}`;
}

/** Returns the id of a caller's message as written; undefined if it has none that can be read. Never throws. */
export function callerId(message: Body): string | undefined {
  const fields = new RpcMembers();
  const json = readFrame(message, fields);
  return "why" in json ? undefined : fields.ownId(json.text);
}

/**
 * Returns the id of each item of a batch; undefined if the message is not a batch of at most `itemsMax`. Never throws.
 */
export function callerIds(message: Body, itemsMax: number): readonly (string | undefined)[] | undefined {
  const batch = batchIn(message);
  if (batch === undefined) return undefined;
  const items = itemsOf(batch, itemsMax + 1);
  return items.length > itemsMax || !isJson(batch) ? undefined : items.map(callerId);
}

/** The text of a message that is a batch, if it is JSON at all. */
function batchIn(message: Body): string | undefined {
  const text = textOf(message);
  return text?.charCodeAt(skipSpace(text, 0)) === OPEN_BRACKET ? text : undefined;
}

/** The first `max` items of an array. In a text that is not JSON, the walk ends with the text. */
function itemsOf(text: string, max: number): readonly string[] {
  const items: string[] = [];
  for (const { start, end } of elements(text, { start: skipSpace(text, 0), end: text.length })) {
    if (start >= text.length) break;
    items.push(text.slice(start, end));
    if (items.length === max) break;
  }
  return items;
}

const FIELDS = ["jsonrpc", "id", "method", "result", "error"] as const;
type RpcMember = (typeof FIELDS)[number];

/** Collects the relevant top-level members while a message is checked; of a duplicate, the last. */
class RpcMembers implements MemberSink {
  jsonrpc: Span | undefined;
  id: Span | undefined;
  method: Span | undefined;
  result: Span | undefined;
  error: Span | undefined;
  /** Members that occur twice. */
  readonly twice: RpcMember[] = [];

  member(text: string, name: number, start: number, end: number): void {
    const key = keyAt(text, name);
    const field = FIELDS.find((one) => one === key);
    if (field === undefined) return;
    if (this[field] !== undefined) this.twice.push(field);
    this[field] = { start, end };
  }

  /** The id as its caller wrote it; undefined if there is none that can be read. */
  ownId(text: string): string | undefined {
    const { id, twice } = this;
    if (id === undefined || twice.includes("id") || !ID_KINDS.has(kindOf(text, id))) return undefined;
    return text.slice(id.start, id.end);
  }
}

const ID_KINDS: ReadonlySet<JsonKind> = new Set(["string", "number", "null"]);

/**
 * Splits a batch, whose items may nest as deep as single messages. A message that is not a batch is left to `encode`.
 */
function split(message: Body, itemsMax: number): readonly string[] | undefined {
  const batch = batchIn(message);
  if (batch === undefined) return undefined;
  // Count before checking, which would take a hundred times as long for a body full of the smallest items.
  const items = itemsOf(batch, itemsMax + 1);
  if (items.length > itemsMax) return items;
  readMessage(batch, MAX_MESSAGE_DEPTH + 1);
  if (items.length === 0) throw new InvalidMessage("shape", "the batch is empty");
  return items;
}

/** A response to the upstream has the upstream's id, which must not be exchanged. */
function encode(message: Body, id: number, route: SendRoute): Encoded {
  const fields = new RpcMembers();
  const { text, root } = readMessage(message, MAX_MESSAGE_DEPTH, fields);
  const kind = kindOf(text, root);
  if (kind !== "object") throw new InvalidMessage("shape", `the message must be an object, not ${nameOf(kind)}`);
  const own = fields.ownId(text);
  const isResponse = fields.method === undefined && (fields.result ?? fields.error) !== undefined;
  if (isResponse && route === "request") throw new InvalidMessage("shape", NO_REPLY_TO_RESPONSE, own);
  const responds = isResponse && route === "send";
  const why = responds ? misshapenResponse(text, fields) : misshapen(text, fields);
  if (why !== undefined) throw new InvalidMessage("shape", why, own);
  const span = fields.id;
  if (responds) return { frame: text, expectsReply: false };
  if (span !== undefined) return { frame: replace(text, span, String(id)), expectsReply: true, own };
  if (route !== "request") return { frame: text, expectsReply: false };
  return { frame: insertFirst(text, root, "id", String(id)), expectsReply: true };
}

const NO_REPLY_TO_RESPONSE = "the message is a response, to which nobody replies: send it with /send";

/** Returns the reason why an object has no usable id, or two of a member; undefined if neither. */
function unreadable(text: string, { id, twice }: RpcMembers): string | undefined {
  if (twice[0] !== undefined) return `"${twice[0]}" occurs twice`;
  if (id === undefined || ID_KINDS.has(kindOf(text, id))) return undefined;
  return `"id" must be a string, a number or null, not ${nameOf(kindOf(text, id))}`;
}

/** Returns the reason why an object is not a response; undefined if it is one. */
function misshapenResponse(text: string, fields: RpcMembers): string | undefined {
  const why = unreadable(text, fields);
  if (why !== undefined) return why;
  if (fields.id === undefined) return '"id" is missing: a response has that of the upstream\'s request';
  return fields.result && fields.error ? 'a response has "result" or "error", not both' : undefined;
}

/** Returns the reason why an object is not a request; undefined if it is one. */
function misshapen(text: string, fields: RpcMembers): string | undefined {
  const why = unreadable(text, fields);
  if (why !== undefined) return why;
  const { jsonrpc: version, method } = fields;
  if (version === undefined) return '"jsonrpc": "2.0" is missing';
  if (kindOf(text, version) !== "string" || stringAt(text, version) !== "2.0") return '"jsonrpc" must be "2.0"';
  if (method === undefined) return '"method" is missing';
  if (kindOf(text, method) !== "string") return `"method" must be a string, not ${nameOf(kindOf(text, method))}`;
  return undefined;
}

/** Takes any object with an id, valid or not, except a response: its id is the upstream's. */
function adopt(frame: Body, id: number): Adopted | undefined {
  const fields = new RpcMembers();
  const json = readFrame(frame, fields);
  if ("why" in json) return undefined;
  const { id: span, result, error, twice } = fields;
  if (span === undefined || result !== undefined || error !== undefined || twice.includes("id")) return undefined;
  const { text } = json;
  return { frame: inKindOf(frame, replace(text, span, String(id))), own: text.slice(span.start, span.end) };
}

/** Only a frame that calls itself JSON-RPC must be: a greeting may be anything. */
function fault(frame: string): string | undefined {
  const fields = new RpcMembers();
  const json = readFrame(frame, fields);
  if ("why" in json || fields.jsonrpc === undefined) return undefined;
  const isResponse = fields.result !== undefined || fields.error !== undefined;
  return isResponse ? undefined : misshapen(json.text, fields);
}

const NOT_OUR_ID = "its id is not a number as we sent it";

/** Ignores the upstream's `jsonrpc`: Chrome omits it, and the id suffices. */
function decode(frame: Body): Decoded {
  const fields = new RpcMembers();
  const json = readFrame(frame, fields);
  if ("why" in json) return { type: "noise", why: json.why };
  const { text, root } = json;
  const kind = kindOf(text, root);
  // We never send a batch, so an array is no reply to us.
  if (kind === "array") return { type: "message", json: true };
  if (kind !== "object") return { type: "noise", why: `${nameOf(kind)} is not a JSON-RPC message` };
  const { id: span, method, result, error, twice } = fields;
  if (twice.includes("id")) return { type: "noise", why: '"id" occurs twice' };
  // A frame with a method is a notification or a request of the upstream's own, whose id is not one of ours.
  if (method !== undefined) {
    return { type: "message", json: true, ...(isAnswerable(text, span) && { wantsReply: true }) };
  }
  const unnamed = span === undefined || kindOf(text, span) === "null";
  if (unnamed && error !== undefined && kindOf(text, error) !== "null") {
    return { type: "error", fails: "only", error: text.slice(error.start, error.end) };
  }
  if (span === undefined) return { type: "message", json: true };
  const id = kindOf(text, span) === "number" ? idOf(text.slice(span.start, span.end)) : undefined;
  if (id === undefined) return { type: "message", json: true, ...(error || result ? { hint: NOT_OUR_ID } : {}) };
  const render = (own: unknown): Body =>
    inKindOf(frame, typeof own === "string" ? replace(text, span, own) : remove(text, root, "id"));
  const missing = (value: Span | undefined): boolean => value === undefined || kindOf(text, value) === "null";
  // JSON-RPC 1.0 servers send both and make one of them null. The outcome is clear, and the request was carried out.
  if (result === undefined && error === undefined) {
    return { type: "invalid", id, why: 'the reply has neither "result" nor "error"', render };
  }
  if (!missing(result) && !missing(error)) {
    return { type: "invalid", id, why: 'the reply has both "result" and "error"', render };
  }
  return { type: "reply", id, render };
}

/** Nobody can tell which request a response with the id null is for. */
function isAnswerable(text: string, id: Span | undefined): boolean {
  const kind = id && kindOf(text, id);
  return kind === "string" || kind === "number";
}

/** Collects the members of a caller's reply; more than two are as wrong as two. */
class ReplyMembers implements MemberSink {
  readonly found: { readonly name: string; readonly value: Span }[] = [];

  member(text: string, name: number, start: number, end: number): void {
    if (this.found.length < 2) this.found.push({ name: keyAt(text, name), value: { start, end } });
  }
}

const REPLY_SHAPE = 'a reply is {"result": …} or {"error": {…}} and nothing besides: the id is put in for you';

/** Builds the response with the upstream's id, and its `jsonrpc` if it writes that, as they are in the request. */
export function replyTo(request: Body, reply: string): Body {
  const asked = new RpcMembers();
  const json = readFrame(request, asked);
  const members = new ReplyMembers();
  const { text, root } = readMessage(reply, MAX_MESSAGE_DEPTH, members);
  const [given, ...more] = kindOf(text, root) === "object" ? members.found : [];
  const isReply = given?.name === "result" || (given?.name === "error" && kindOf(text, given.value) === "object");
  if (!isReply || more.length > 0 || "why" in json || asked.id === undefined) {
    throw new InvalidMessage("shape", REPLY_SHAPE);
  }
  const slice = ({ start, end }: Span, of: string) => of.slice(start, end);
  const version = asked.jsonrpc ? `"jsonrpc":${slice(asked.jsonrpc, json.text)},` : "";
  const response = `{${version}"id":${slice(asked.id, json.text)},"${given.name}":${slice(given.value, text)}}`;
  return inKindOf(request, response);
}
