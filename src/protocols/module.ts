/**
 * Guard around a user's protocol module.
 *
 * The module runs on the thread that all requests share. Every call into it is checked here, so that nothing that it
 * throws or returns can harm that thread, and the exchange can rely on the protocol.
 */

import { textOf } from "./json-message.ts";
import {
  type Adopted,
  type Body,
  type Decoded,
  type DecodedMessage,
  type Encoded,
  InvalidMessage,
  type Mode,
  type Protocol,
  type WireId,
} from "./protocol.ts";

/**
 * The default export of a protocol module, or the result of the function that it exports. All other members have
 * defaults.
 */
export interface ProtocolModule
  extends Pick<Protocol, "name">,
    Partial<Omit<Protocol, "name" | "decode" | "encode" | "takesEveryFrame">> {
  /** Classifies a frame, or each message in it, in their order. */
  decode(frame: Body): DecodedMessage | readonly DecodedMessage[];
  encode(message: Body, id: number, mode: Mode): Pick<Encoded, "frame"> & Partial<Encoded>;
}

/** The members that are read from a user's objects; each is checked before it is used. */
type Field = keyof Protocol | keyof Encoded | "default" | "type" | "why" | "render" | "gather" | "fails" | "keep";
type Fields = { readonly [field in Field]?: unknown };
type Method = (...values: readonly unknown[]) => unknown;

/** The types of frame that name a request. */
const NAMED = ["reply", "part", "progress", "invalid"] as const;

/** The most messages in one frame: each takes its turn on the thread that everything else waits for. */
const MAX_RESULTS = 10_000;

/** With fewer ids, a late reply could be taken for the reply to a newer request. */
const LEAST_MAX_ID = 65_535;

/** Builds a guarded protocol from a module's exports. Throws a plain Error that names the missing or invalid member. */
export function fromModule(exports: unknown): Protocol {
  const main = isObject(exports) ? exports.default : undefined;
  const definition = typeof main === "function" ? (main as Method)() : main;
  if (!isObject(definition)) {
    throw new Error("the protocol module has no default export that is a protocol or a function that returns one");
  }
  const name = definition.name;
  if (typeof name !== "string" || name === "")
    throw new Error('the protocol needs a "name": a string that is not empty');
  const correlation = oneOf(definition, "correlation", ["id", "order"] as const);
  const accepts = oneOf(definition, "accepts", ["json", "any"] as const);
  const ids = oneOf(definition, "ids", ["ours", "increasing", "callers"] as const);
  if (ids !== "ours" && correlation === "order") {
    throw new Error('the protocol\'s "ids" require correlation "id": with "order" there are none');
  }
  const maxFrames = definition.maxFrames;
  if (maxFrames !== undefined && (!isNumber(maxFrames) || maxFrames === 0)) {
    throw new Error('the protocol\'s "maxFrames" must be a whole number of at least 1');
  }
  const maxId = definition.maxId ?? Number.MAX_SAFE_INTEGER;
  if (!isNumber(maxId) || maxId < LEAST_MAX_ID) {
    throw new Error(`the protocol's "maxId" must be a whole number of at least ${LEAST_MAX_ID}`);
  }
  /** The callers' own ids are strings, ours are numbers. */
  const isId = ids === "callers" ? isString : isNumber;
  const encode = method(definition, "encode");
  const decode = method(definition, "decode");
  const split = definition.split === undefined ? undefined : method(definition, "split");
  const adopt = definition.adopt === undefined ? undefined : method(definition, "adopt");
  const cancel = definition.cancel === undefined ? undefined : method(definition, "cancel");
  /** A module that accepts JSON gets text, even if the caller sent bytes. */
  const input = (message: Body): Body => (accepts === "json" ? utf8Text(message) : message);

  return {
    name,
    correlation,
    accepts,
    maxId,
    ids,
    maxFrames,
    streams: definition.streams === true,
    encode: (message, id, mode) => asCallersFault(() => asEncoded(encode(input(message), id, mode), ids)),
    decode: (frame) => asDecoded(frame, isId, correlation, () => decode(frame)),
    ...(adopt && correlation === "id" && { adopt: (frame, id) => asAdopted(() => adopt(frame, id), ids) }),
    ...(cancel && { cancel: (id: WireId) => asCancel(() => cancel(id)) }),
    ...(split && { split: (message: Body) => asCallersFault(() => asItems(split(input(message)))) }),
  };
}

function oneOf<T extends string>(definition: Fields, key: Field, values: readonly [T, T, ...T[]]): T {
  const value = definition[key] ?? values[0];
  const known = values.find((candidate) => candidate === value);
  if (known === undefined) throw new Error(`the protocol's "${key}" must be ${list(values)}`);
  return known;
}

function list(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(" or ");
}

function method(definition: Fields, key: Field): Method {
  const value = definition[key];
  if (typeof value !== "function") throw new Error(`the protocol needs a function "${key}"`);
  return value.bind(definition) as Method;
}

function utf8Text(message: Body): string {
  const text = textOf(message);
  if (text === undefined) throw new InvalidMessage("parse", "the bytes are not UTF-8");
  return text;
}

/** Turns any exception into an {@link InvalidMessage}, so that the caller of the message gets it. */
function asCallersFault<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InvalidMessage ? error : new InvalidMessage("shape", reason(error));
  }
}

function asEncoded(result: unknown, ids: Protocol["ids"]): Encoded {
  if (!isObject(result) || !isBody(result.frame))
    throw new Error("the protocol's encode returned no frame for this message");
  const { frame, own, id } = result;
  const expectsReply = result.expectsReply !== false;
  const subscribes = result.subscribes === true;
  if (ids !== "callers") return { frame, expectsReply, subscribes, own };
  if (isString(id)) return { frame, expectsReply, subscribes, own, id };
  if (expectsReply)
    throw new Error(
      'the protocol\'s encode returned no id for this message: with "ids" of "callers" it must be a string',
    );
  return { frame, expectsReply, own };
}

function asItems(result: unknown): readonly string[] | undefined {
  if (result === undefined) return undefined;
  if (Array.isArray(result) && result.every((item) => typeof item === "string")) return result;
  throw new Error("the protocol's split returned something other than strings for this message");
}

/** Without a usable result the frame goes out as it was written. */
function asAdopted(work: () => unknown, ids: Protocol["ids"]): Adopted | undefined {
  try {
    const result = work();
    if (!isObject(result) || !isBody(result.frame)) return undefined;
    const { frame, own, id } = result;
    if (ids !== "callers") return { frame, own };
    return isString(id) ? { frame, own, id } : undefined;
  } catch {
    return undefined;
  }
}

/** Without a usable frame nothing is cancelled, and further frames count as late. */
function asCancel(work: () => unknown): Body | undefined {
  try {
    const frame = work();
    return isBody(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** Turns any failure into noise, so that a frame that the module cannot handle never becomes a reply. */
function asDecoded(
  frame: Body,
  isId: (value: unknown) => value is WireId,
  correlation: Protocol["correlation"],
  decode: () => unknown,
): Decoded {
  try {
    const result = decode();
    const classify = (each: unknown) => asDecodedMessage(frame, isId, correlation, each);
    if (!Array.isArray(result)) return classify(result);
    if (result.length > MAX_RESULTS) return noise(`the protocol's decode returned more than ${MAX_RESULTS} results`);
    return { type: "several", results: result.map(classify) };
  } catch (error) {
    return noise(reason(error));
  }
}

function asDecodedMessage(
  frame: Body,
  isId: (value: unknown) => value is WireId,
  correlation: Protocol["correlation"],
  result: unknown,
): DecodedMessage {
  try {
    if (!isObject(result)) return noise("the protocol's decode returned nothing for this frame");
    if (result.type === "message") {
      return result.render === undefined ? { type: "message" } : { type: "message", render: renderer(frame, result) };
    }
    if (result.type === "noise") return noise(reasonIn(result.why));
    if (result.type === "answer") {
      return isBody(result.frame)
        ? {
            type: "answer",
            frame: result.frame,
            ...(result.adopt === true && { adopt: true }),
            ...(result.keep === true && { keep: "any" }),
          }
        : noise("the protocol's decode returned an answer without a frame");
    }
    if (result.type === "error" && correlation === "id")
      return { type: "error", fails: result.fails === "all" ? "all" : "oldest" };
    const id = correlation === "order" ? 0 : result.id;
    // Correlation by order has one request in flight, so the error is its reply.
    const type = result.type === "error" ? "invalid" : NAMED.find((known) => known === result.type);
    if (type === undefined) return noise("the protocol's decode returned no known type for this frame");
    if (!isId(id)) return noise("the protocol's decode returned no usable id for this frame");
    const render = renderer(frame, result);
    const restoring = typeof result.render === "function" && { render };
    if (type === "invalid") return { type, id, why: reasonIn(result.why), ...restoring };
    if (type === "progress") return { type, id, ...restoring };
    return type === "reply" && result.gather !== undefined
      ? { type, id, render, gather: gatherer(frame, result) }
      : { type, id, render };
  } catch (error) {
    return noise(reason(error));
  }
}

/** Without a `render` that works, the caller gets the frame as it arrived, with our id. */
function renderer(frame: Body, result: Fields): (own: unknown) => Body {
  if (typeof result.render !== "function") return () => frame;
  const render = method(result, "render");
  return (own) => {
    try {
      const body = render(own);
      return isBody(body) ? body : frame;
    } catch {
      return frame;
    }
  };
}

/** Without a `gather` that works, the caller gets only the last frame. */
function gatherer(frame: Body, result: Fields): (frames: readonly Body[]) => Body {
  return (frames) => {
    try {
      const body = method(result, "gather")(frames);
      return isBody(body) ? body : frame;
    } catch {
      return frame;
    }
  };
}

function noise(why: string): DecodedMessage {
  return { type: "noise", why };
}

function reasonIn(why: unknown): string {
  return typeof why === "string" && why !== "" ? why : "the protocol named no reason";
}

/** Describes a thrown value, which may be anything, even a value that cannot be printed. */
function reason(error: unknown): string {
  return error instanceof Error ? reasonIn(error.message) : "the protocol threw something that is not an Error";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isBody(value: unknown): value is Body {
  return typeof value === "string" || value instanceof Uint8Array;
}

function isString(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
