/**
 * A user's own protocol. Its default export is a {@link ProtocolModule}, or a function that gives one; `name`, `encode` and
 * `decode` are enough. It runs on the thread that all requests share, so nothing that it throws or returns may harm it:
 * every call is guarded here, once, and the exchange need not think of it.
 */

import { textOf } from "./json-message.ts";
import {
  type Body,
  type Decoded,
  type Encoded,
  InvalidMessage,
  type Mode,
  type Protocol,
  type WireId,
} from "./protocol.ts";

/** What a module has to give: all that it leaves out has a default. */
export interface ProtocolModule
  extends Pick<Protocol, "name" | "decode">,
    Partial<Omit<Protocol, "name" | "decode" | "encode">> {
  encode(message: Body, id: number, mode: Mode): Pick<Encoded, "frame"> & Partial<Encoded>;
}

/** What is looked for in a user's objects, none of it believed before it is looked at. */
type Field = keyof Protocol | keyof Encoded | "default" | "type" | "why" | "render" | "gather" | "fails";
type Fields = { readonly [field in Field]?: unknown };
type Method = (...values: readonly unknown[]) => unknown;

/** What a frame may be that names its request. */
const NAMED = ["reply", "part", "progress", "invalid"] as const;

/** With fewer ids a reply that comes late could be taken for that of a newer request. */
const LEAST_MAX_ID = 65_535;

/** Makes a guarded protocol of a module's exports. Throws a plain Error that names what is missing or wrong. */
export function fromModule(exports: unknown): Protocol {
  const main = isObject(exports) ? exports.default : undefined;
  const definition = typeof main === "function" ? (main as Method)() : main;
  if (!isObject(definition)) {
    throw new Error("the protocol module has no default export that is a protocol, or a function that gives one");
  }
  const name = definition.name;
  if (typeof name !== "string" || name === "") throw new Error('the protocol has no "name"');
  const correlation = oneOf(definition, "correlation", ["id", "order"] as const);
  const accepts = oneOf(definition, "accepts", ["json", "any"] as const);
  const ids = oneOf(definition, "ids", ["ours", "increasing", "callers"] as const);
  if (ids !== "ours" && correlation === "order") {
    throw new Error('the protocol\'s "ids" are for correlation "id": where the order decides there are none');
  }
  const maxFrames = definition.maxFrames;
  if (maxFrames !== undefined && (!isNumber(maxFrames) || maxFrames === 0)) {
    throw new Error('the protocol\'s "maxFrames" is not a whole number of at least 1');
  }
  const maxId = definition.maxId ?? Number.MAX_SAFE_INTEGER;
  if (!isNumber(maxId) || maxId < LEAST_MAX_ID) {
    throw new Error(`the protocol's "maxId" is not a whole number of at least ${LEAST_MAX_ID}`);
  }
  /** Where callers' own ids are kept they are texts, else numbers. */
  const isId = ids === "callers" ? isText : isNumber;
  const encode = method(definition, "encode");
  const decode = method(definition, "decode");
  const split = definition.split === undefined ? undefined : method(definition, "split");
  const cancel = definition.cancel === undefined ? undefined : method(definition, "cancel");
  /** A module that takes JSON gets text, whether the caller's client sent text or bytes. */
  const given = (message: Body): Body => (accepts === "json" ? utf8Text(message) : message);

  return {
    name,
    correlation,
    accepts,
    maxId,
    ids,
    maxFrames,
    streams: definition.streams === true,
    encode: (message, id, mode) => callersFault(() => asEncoded(encode(given(message), id, mode), ids)),
    decode: (frame) => asDecoded(frame, isId, correlation, () => decode(frame)),
    ...(cancel && { cancel: (id: WireId) => asCancel(() => cancel(id)) }),
    ...(split && { split: (message) => callersFault(() => asItems(split(given(message)))) }),
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
  if (typeof value !== "function") throw new Error(`the protocol has no function "${key}"`);
  return value.bind(definition) as Method;
}

function utf8Text(message: Body): string {
  const text = textOf(message);
  if (text === undefined) throw new InvalidMessage("parse", "the bytes are not UTF-8");
  return text;
}

/** What goes wrong with a caller's message is told to that caller. */
function callersFault<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InvalidMessage ? error : new InvalidMessage("shape", reason(error));
  }
}

function asEncoded(result: unknown, ids: Protocol["ids"]): Encoded {
  if (!isObject(result) || !isBody(result.frame)) throw new Error("the protocol gave no frame for this message");
  const { frame, own, id } = result;
  const expectsReply = result.expectsReply !== false;
  const subscribes = result.subscribes === true;
  if (ids !== "callers") return { frame, expectsReply, subscribes, own };
  if (isText(id)) return { frame, expectsReply, subscribes, own, id };
  if (expectsReply)
    throw new Error("the protocol gave no id for this message, which is a text where it keeps callers' own");
  return { frame, expectsReply, own };
}

function asItems(result: unknown): readonly string[] | undefined {
  if (result === undefined) return undefined;
  if (Array.isArray(result) && result.every((item) => typeof item === "string")) return result;
  throw new Error("the protocol did not split this message into texts");
}

/** Without a word that works the upstream is told nothing, and what it still says is late. */
function asCancel(work: () => unknown): Body | undefined {
  try {
    const frame = work();
    return isBody(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** What goes wrong with a frame makes it noise: it must never become an answer. */
function asDecoded(
  frame: Body,
  isId: (value: unknown) => value is WireId,
  correlation: Protocol["correlation"],
  decode: () => unknown,
): Decoded {
  try {
    const result = decode();
    if (!isObject(result)) return noise("the protocol said nothing about this frame");
    if (result.type === "message") return { type: "message" };
    if (result.type === "noise") return noise(sentence(result.why));
    if (result.type === "answer") {
      return isBody(result.frame)
        ? { type: "answer", frame: result.frame }
        : noise("the protocol's answer has no frame");
    }
    if (result.type === "error" && correlation === "id")
      return { type: "error", fails: result.fails === "all" ? "all" : "oldest" };
    const id = correlation === "order" ? 0 : result.id;
    // In a lane there is only one that it can mean.
    const type = result.type === "error" ? "invalid" : NAMED.find((known) => known === result.type);
    if (type === undefined) return noise("the protocol gave no type for this frame");
    if (!isId(id)) return noise("the protocol gave no id for this frame");
    if (type === "invalid") return { type, id, why: sentence(result.why) };
    if (type === "progress") return { type, id };
    const render = renderer(frame, result);
    return type === "reply" && result.gather !== undefined
      ? { type, id, render, gather: gatherer(frame, result) }
      : { type, id, render };
  } catch (error) {
    return noise(reason(error));
  }
}

/** Without a `render` that works the caller sees the frame as it came, with our id in it. */
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

/** Without a `gather` that works the caller sees the last frame alone. */
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

function noise(why: string): Decoded {
  return { type: "noise", why };
}

function sentence(why: unknown): string {
  return typeof why === "string" && why !== "" ? why : "the protocol gave no reason";
}

/** Anything can be thrown, even what cannot be printed. */
function reason(error: unknown): string {
  return error instanceof Error ? sentence(error.message) : "the protocol threw something that is not an Error";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isBody(value: unknown): value is Body {
  return typeof value === "string" || value instanceof Uint8Array;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
