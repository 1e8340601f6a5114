/**
 * GraphQL over HTTP (https://graphql.github.io/graphql-over-http/) in terms of graphql-transport-ws: a request as the frame
 * that asks, and what came for it as one result. Everything stays as it was written, numbers beyond 2^53 too.
 */

import { locate } from "./json-edit.ts";
import { type Json, readFrame, readMessage } from "./json-message.ts";
import { elements, kindOf, stringAt } from "./json-text.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

export type OperationKind = "query" | "mutation" | "subscription";

export interface GraphqlRequest {
  /** The frame, still without an id. */
  readonly frame: string;
  /** Undefined when the document does not say which of its operations is meant: the server will refuse it. */
  readonly kind: OperationKind | undefined;
}

/** Reads `{ query, variables, operationName, extensions }`. Throws {@link InvalidMessage}. */
export function graphqlRequest(body: Body): GraphqlRequest {
  const json = readMessage(body);
  const { text, root } = json;
  if (kindOf(text, root) !== "object") throw new InvalidMessage("shape", 'the body must be an object with a "query"');
  const query = stringIn(json, "query");
  if (query === undefined) throw new InvalidMessage("shape", '"query" is missing');
  const kind = operationKind(query, stringIn(json, "operationName"));
  return { frame: `{"type":"subscribe","payload":${text.slice(root.start, root.end)}}`, kind };
}

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

function memberOf(json: Json | undefined, key: string): Json | undefined {
  if (json === undefined) return undefined;
  const place = locate(json.text, json.root, [key]);
  return place.type === "found" ? { text: json.text, root: place.value } : undefined;
}

function stringIn(json: Json, key: string): string | undefined {
  const value = memberOf(json, key);
  return value && kindOf(value.text, value.root) === "string" ? stringAt(value.text, value.root) : undefined;
}

/**
 * Comments, strings, names, and whatever else is one character. What does not end takes all that is left, so each
 * character is looked at once: a caller must not make us slow.
 */
const TOKEN = /#[^\n\r]*|"""(?:[^"\\]|\\[\s\S]?|"(?!""))*(?:"""|$)|"(?:[^"\\\n\r]|\\.?)*"?|[_A-Za-z]\w*|[^\s,]/g;
const KINDS: readonly string[] = ["query", "mutation", "subscription"];

interface Definition {
  /** Undefined for a fragment. */
  readonly kind: OperationKind | undefined;
  name: string | undefined;
}

/** Which kind of operation a document asks for. What is not GraphQL at all is for the server to refuse. */
export function operationKind(document: string, name: string | undefined): OperationKind | undefined {
  const definitions: Definition[] = [];
  /** The one that is being read, up to the end of its selection. */
  let open: Definition | undefined;
  let depth = 0;
  let before = "";
  for (const [token] of document.matchAll(TOKEN)) {
    if (token.startsWith("#") || token.startsWith('"')) continue;
    if (open === undefined) {
      open = { kind: token === "{" ? "query" : kindNamed(token), name: undefined };
      definitions.push(open);
    } else if (depth === 0 && KINDS.includes(before) && /^\w/.test(token)) {
      open.name ??= token;
    }
    if ("{([".includes(token)) depth += 1;
    if ("})]".includes(token)) depth = Math.max(0, depth - 1);
    if (depth === 0 && token === "}") open = undefined;
    before = token;
  }
  const operations = definitions.filter(({ kind }) => kind !== undefined);
  const meant = name ? operations.filter((operation) => operation.name === name) : operations;
  return meant.length === 1 ? meant[0]?.kind : undefined;
}

function kindNamed(word: string): OperationKind | undefined {
  return KINDS.includes(word) ? (word as OperationKind) : undefined;
}
