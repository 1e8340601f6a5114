/**
 * Translation between GraphQL over HTTP (https://graphql.github.io/graphql-over-http/) and graphql-transport-ws.
 *
 * Text is never reserialized, so numbers beyond 2^53 keep their digits.
 */

import { type Operation, parseDocument } from "./graphql-document.ts";
import { type Json, nameOf, type ReadFrame, readMessage } from "./json-message.ts";
import { locate } from "./json-place.ts";
import { elements, type JsonKind, kindOf, members, stringAt } from "./json-text.ts";
import { LOOKED_AT_MAX } from "./outline.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

/**
 * Returns the `subscribe` frame, still without an id, for the body of an HTTP request. Throws {@link InvalidMessage}.
 */
export function subscribeFrame(body: Body): string {
  const { text, root } = readMessage(body);
  return `{"type":"subscribe","payload":${text.slice(root.start, root.end)}}`;
}

/**
 * Returns the operation that a frame of this `type` runs; undefined if the document has no such operation or several,
 * which the server refuses by itself. Throws {@link InvalidMessage} if the server would close the socket,
 * which all callers share, over the frame.
 */
export function operationOf(frame: Body, type: "subscribe" | "start" = "subscribe"): Operation | undefined {
  const json = readMessage(frame);
  const usage = `a request is { "type": "${type}", "payload": { "query": … } }`;
  const payload = memberOf(json, "payload");
  if (stringIn(json, "type") !== type || payload === undefined) throw new InvalidMessage("shape", usage);
  if (kindOf(payload.text, payload.root) !== "object")
    throw new InvalidMessage("shape", "a GraphQL request is an object: send those of a batch one by one");
  const seen = new Set<string>();
  for (const { key, value } of members(payload.text, payload.root)) {
    if (seen.has(key)) throw new InvalidMessage("shape", `"${key}" occurs twice`);
    seen.add(key);
    const wanted = MEMBERS.get(key);
    const found = kindOf(payload.text, value);
    if (wanted === undefined || found === wanted || (found === "null" && key !== "query")) continue;
    throw new InvalidMessage("shape", `"${key}" must be ${nameOf(wanted)}, not ${nameOf(found)}`);
  }
  const query = stringIn(payload, "query");
  if (query === undefined) throw new InvalidMessage("shape", '"query" is missing');
  const operations = parseDocument(query);
  const name = stringIn(payload, "operationName");
  const selected = name ? operations.filter((operation) => operation.name === name) : operations;
  return selected.length === 1 ? selected[0] : undefined;
}

const MEMBERS: ReadonlyMap<string, JsonKind> = new Map([
  ["query", "string"],
  ["operationName", "string"],
  ["variables", "object"],
  ["extensions", "object"],
]);

/** The parameters of a GET request. */
export const QUERY_PARAMETERS = ["query", "operationName", "variables", "extensions"] as const;

/**
 * Returns the body of a POST for the parameters of a GET, of which two are JSON. Throws {@link InvalidMessage}.
 * @param parameter undefined for one that is not given
 */
export function bodyOfQuery(parameter: (name: (typeof QUERY_PARAMETERS)[number]) => string | undefined): string {
  const written = QUERY_PARAMETERS.flatMap((name) => {
    const text = parameter(name);
    if (text === undefined || text === "") return [];
    return `"${name}":${MEMBERS.get(name) === "string" ? JSON.stringify(text) : wholeJson(name, text)}`;
  });
  return `{${written.join(",")}}`;
}

/** Exactly one JSON value, so that nothing else comes in beside it. */
function wholeJson(name: string, written: string): string {
  try {
    const { text, root } = readMessage(written);
    return text.slice(root.start, root.end);
  } catch (error) {
    if (error instanceof InvalidMessage) throw new InvalidMessage("shape", `"${name}" must be JSON`);
    throw error;
  }
}

/** The hash by which a frame names its document, as Apollo's persisted queries have it, and the document itself. */
export interface PersistedQuery {
  readonly hash: string;
  /** Undefined if the frame has the hash alone. */
  readonly query: string | undefined;
}

/** Returns undefined for a frame that names no hash. */
export function persistedQueryIn(frame: string): PersistedQuery | undefined {
  // Most requests have none, and need no second look.
  if (!frame.includes("persistedQuery")) return undefined;
  const json = readMessage(frame);
  const place = locate(json.text, json.root, ["payload", "extensions", "persistedQuery"]);
  if (place.type !== "found") return undefined;
  const hash = stringIn({ text: json.text, root: place.value }, "sha256Hash");
  if (hash === undefined) return undefined;
  const payload = memberOf(json, "payload");
  return { hash: hash.toLowerCase(), query: payload && stringIn(payload, "query") };
}

/** Puts the document into a frame that has only its hash. */
export function withQuery(frame: string, query: string): string {
  const json = readMessage(frame);
  const at = (memberOf(json, "payload")?.root.start ?? 0) + 1;
  return `${json.text.slice(0, at)}"query":${JSON.stringify(query)},${json.text.slice(at)}`;
}

/** The result of an operation. `result` is the JSON text of `{ data, errors, … }`. */
export type GraphqlResult =
  | { readonly result: string /** False if the operation failed before execution. */; readonly executed: boolean }
  /** The reply violates the protocol or has more than one result. */
  | { readonly why: string };

/** Reads a reply of the `graphql-transport-ws` preset: the array of all frames that arrived. */
export function graphqlResult(json: ReadFrame): GraphqlResult {
  if ("why" in json || kindOf(json.text, json.root) !== "array") return { why: "the reply is not an array of frames" };
  const { text, root } = json;
  const frames = Array.from(elements(text, root), (frame) => valuesOf({ text, root: frame }, ["type", "payload"]));
  const ofType = (wanted: string) => frames.filter(({ type }) => scalarString(type) === wanted);
  const results = ofType("next");
  if (results.length > 1) return { why: `the upstream sent ${results.length} results for one operation` };
  const [failed] = ofType("error");
  const { payload } = failed ?? results[0] ?? {};
  if (payload === undefined) return { why: "the upstream completed the operation without a result" };
  if (failed) return { result: `{"errors":${written(payload)}}`, executed: false };
  return { result: written(payload), executed: valuesOf(payload, ["data"]).data !== undefined };
}

/** One frame of an operation. */
export interface GraphqlStep {
  /** The result in it as JSON text, if it has one. */
  readonly result: string | undefined;
  /** True if no frame follows. */
  readonly last: boolean;
  /** If more parts follow the result; undefined if that says nothing of it. */
  readonly hasNext: boolean | undefined;
  /** The format of the parts that begin with the result: only the newer one lists what is pending. */
  readonly format: PartsFormat;
}

/** The formats of results in parts, as parameters of `multipart/mixed` name them. */
export type PartsFormat = "deferSpec=20220824" | "incrementalSpec=v0.2";

export function graphqlStep(json: ReadFrame): GraphqlStep {
  const older = "deferSpec=20220824";
  if ("why" in json) return { result: undefined, last: false, hasNext: undefined, format: older };
  const { type, payload } = valuesOf(json, ["type", "payload"]);
  const kind = scalarString(type);
  if (kind !== "next") {
    const result = kind === "error" ? `{"errors":${payload ? written(payload) : "[]"}}` : undefined;
    return { result, last: true, hasNext: undefined, format: older };
  }
  if (payload === undefined) return { result: undefined, last: false, hasNext: undefined, format: older };
  const { hasNext, pending } = valuesOf(payload, ["hasNext", "pending"]);
  const isBoolean = hasNext !== undefined && kindOf(hasNext.text, hasNext.root) === "boolean";
  return {
    result: written(payload),
    last: false,
    hasNext: isBoolean ? written(hasNext) === "true" : undefined,
    format: pending ? "incrementalSpec=v0.2" : older,
  };
}

function written({ text, root }: Json): string {
  return text.slice(root.start, root.end);
}

function scalarString(value: Json | undefined): string | undefined {
  return value && kindOf(value.text, value.root) === "string" ? stringAt(value.text, value.root) : undefined;
}

/**
 * Finds members of an object in one walk over it, which passes over their values. Of a key that occurs twice it takes
 * the last, as `JSON.parse` does. Members beyond {@link LOOKED_AT_MAX} are not looked at.
 */
function valuesOf<Key extends string>({ text, root }: Json, keys: readonly Key[]): { readonly [key in Key]?: Json } {
  const found: { [key in Key]?: Json } = {};
  if (kindOf(text, root) !== "object") return found;
  let lookedAt = 0;
  for (const { key, value } of members(text, root)) {
    if (++lookedAt > LOOKED_AT_MAX) break;
    const wanted = keys.find((each) => each === key);
    if (wanted !== undefined) found[wanted] = { text, root: value };
  }
  return found;
}

function memberOf(json: Json | undefined, key: string): Json | undefined {
  if (json === undefined) return undefined;
  const place = locate(json.text, json.root, [key]);
  return place.type === "found" ? { text: json.text, root: place.value } : undefined;
}

function stringIn(json: Json, key: string): string | undefined {
  return scalarString(memberOf(json, key));
}
