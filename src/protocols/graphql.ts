/**
 * GraphQL over HTTP (https://graphql.github.io/graphql-over-http/) in terms of graphql-transport-ws: a request as the frame
 * that asks, and what came for it as one result. Everything stays as it was written, numbers beyond 2^53 too.
 */

import { type OperationKind, parseDocument } from "./graphql-document.ts";
import { locate } from "./json-edit.ts";
import { type Json, nameOf, readFrame, readMessage } from "./json-message.ts";
import { elements, type JsonKind, kindOf, members, stringAt } from "./json-text.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

/** A `subscribe` frame, still without an id, that asks for the operation of an HTTP request. Throws {@link InvalidMessage}. */
export function subscribeFrame(body: Body): string {
  const { text, root } = readMessage(body);
  return `{"type":"subscribe","payload":${text.slice(root.start, root.end)}}`;
}

/**
 * The kind of operation that a `subscribe` frame asks for; undefined when the document has none of that name, or several:
 * that the server refuses by itself. Throws {@link InvalidMessage} for what it would close the socket for, to the harm of all.
 */
export function operationOf(frame: Body): OperationKind | undefined {
  const json = readMessage(frame);
  const wanted = 'a request is { "type": "subscribe", "payload": { "query": … } }';
  const payload = memberOf(json, "payload");
  if (stringIn(json, "type") !== "subscribe" || payload === undefined) throw new InvalidMessage("shape", wanted);
  if (kindOf(payload.text, payload.root) !== "object")
    throw new InvalidMessage("shape", "a GraphQL request is an object");
  const seen = new Set<string>();
  for (const { key, value } of members(payload.text, payload.root)) {
    if (seen.has(key)) throw new InvalidMessage("shape", `"${key}" occurs twice`);
    seen.add(key);
    const type = MEMBERS.get(key);
    const found = kindOf(payload.text, value);
    if (type === undefined || found === type || (found === "null" && key !== "query")) continue;
    throw new InvalidMessage("shape", `"${key}" must be ${nameOf(type)}, not ${nameOf(found)}`);
  }
  const query = stringIn(payload, "query");
  if (query === undefined) throw new InvalidMessage("shape", '"query" is missing');
  const operations = parseDocument(query);
  const name = stringIn(payload, "operationName");
  const meant = name ? operations.filter((operation) => operation.name === name) : operations;
  return meant.length === 1 ? meant[0]?.kind : undefined;
}

const MEMBERS: ReadonlyMap<string, JsonKind> = new Map([
  ["query", "string"],
  ["operationName", "string"],
  ["variables", "object"],
  ["extensions", "object"],
]);

/** What came for an operation. `result` is the JSON text of `{ data, errors, … }`. */
export type GraphqlResult =
  | { readonly result: string /** Whether it was executed at all. */; readonly executed: boolean }
  /** Against the protocol, or more than one result. */
  | { readonly why: string };

/** Reads the reply of the `graphql-transport-ws` preset: the array of all frames that came. */
export function graphqlResult(reply: Body): GraphqlResult {
  const json = readFrame(reply);
  if ("why" in json || kindOf(json.text, json.root) !== "array")
    return { why: "the reply is not what the protocol gives" };
  const { text, root } = json;
  const frames = Array.from(elements(text, root), (frame) => ({ text, root: frame }));
  const results = frames.filter((frame) => stringIn(frame, "type") === "next");
  if (results.length > 1) return { why: `the upstream gave ${results.length} results where one was asked for` };
  const failed = frames.find((frame) => stringIn(frame, "type") === "error");
  const payload = memberOf(failed ?? results[0], "payload");
  if (payload === undefined) return { why: "the upstream completed the operation without a result" };
  const written = payload.text.slice(payload.root.start, payload.root.end);
  if (failed) return { result: `{"errors":${written}}`, executed: false };
  return { result: written, executed: memberOf(payload, "data") !== undefined };
}

/** What a frame that came for an operation says: a result, as JSON text; and whether there are more. */
export function graphqlStep(frame: Body): { readonly result: string | undefined; readonly last: boolean } {
  const json = readFrame(frame);
  if ("why" in json) return { result: undefined, last: false };
  const type = stringIn(json, "type");
  const payload = memberOf(json, "payload");
  const written = payload?.text.slice(payload.root.start, payload.root.end);
  if (type === "next") return { result: written, last: false };
  return { result: type === "error" ? `{"errors":${written ?? "[]"}}` : undefined, last: true };
}

function memberOf(json: Json | undefined, key: string): Json | undefined {
  if (json === undefined) return undefined;
  const place = locate(json.text, json.root, [key]);
  return place.type === "found" ? { text: json.text, root: place.value } : undefined;
}

function stringIn(json: Json, key: string): string | undefined {
  const value = memberOf(json, key);
  return value && kindOf(value.text, value.root) === "string" ? stringAt(value.text, value.root) : undefined;
}
