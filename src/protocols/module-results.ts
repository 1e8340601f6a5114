/** The checks of what a user's protocol module returns: anything becomes a result that the exchange can rely on. */

import {
  type Adopted,
  type Body,
  type Decoded,
  type DecodedMessage,
  type Encoded,
  InvalidMessage,
  type Protocol,
  type WireId,
} from "./protocol.ts";

/** The members that are read from a user's objects; each is checked before it is used. */
type Field =
  | keyof Protocol
  | keyof Encoded
  | "default"
  | "end"
  | "opened"
  | "tick"
  | "type"
  | "why"
  | "render"
  | "gather"
  | "fails"
  | "keep"
  | "wantsReply";

export type Fields = { readonly [field in Field]?: unknown };

export type Method = (...values: readonly unknown[]) => unknown;

/** Reports an exception of the module to the log: `what` is the method that threw. */
export type ModuleThrew = (what: string, error: unknown) => void;

/** The traits of a module that decide which results are good. */
export interface ModuleTraits extends Pick<Protocol, "correlation" | "accepts"> {
  readonly ids: NonNullable<Protocol["ids"]>;
}

/** The types of frame that name a request. */
const NAMED = ["reply", "part", "progress", "invalid"] as const;

/** The most messages in one frame: each takes its turn on the thread that everything else waits for. */
const MAX_RESULTS = 10_000;

export function method(definition: Fields, key: Field): Method {
  const value = definition[key];
  if (typeof value !== "function") throw new Error(`the protocol needs a function "${key}"`);
  return value.bind(definition) as Method;
}

/** A result of the module that is wrong. Its message is ours, and callers may see it. */
class ModuleFault extends Error {}

/**
 * Turns any exception into an {@link InvalidMessage}. The caller gets the words of one that the module meant for it, by
 * its name, since a module need not import ours; of any other, the caller learns only that there was one.
 */
export function asCallersFault<T>(what: string, threw: ModuleThrew, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidMessage) throw error;
    if (error instanceof ModuleFault || isInvalidMessage(error)) throw new InvalidMessage("shape", error.message);
    threw(`the protocol's ${what} threw`, error);
    throw new InvalidMessage("shape", `the protocol's ${what} threw an exception, which is in the log`);
  }
}

function isInvalidMessage(error: unknown): error is Error {
  return error instanceof Error && error.name === "InvalidMessage" && isString(error.message);
}

export function encodedIn(result: unknown, { ids }: Pick<ModuleTraits, "ids">): Encoded {
  const frame = isObject(result) ? bodyIn(result.frame) : undefined;
  if (!isObject(result) || frame === undefined)
    throw new ModuleFault("the protocol's encode returned no frame for this message");
  const { own, id } = result;
  const expectsReply = result.expectsReply !== false;
  const subscribes = result.subscribes === true;
  if (ids !== "callers") return { frame, expectsReply, subscribes, own };
  if (isString(id)) return { frame, expectsReply, subscribes, own, id };
  if (expectsReply)
    throw new ModuleFault(
      'the protocol\'s encode returned no id for this message: with "ids" of "callers" it must be a string',
    );
  return { frame, expectsReply, own };
}

export function replyIn(result: unknown): Body {
  const frame = bodyIn(result);
  if (frame === undefined) throw new ModuleFault("the protocol's replyTo returned no frame for this reply");
  return frame;
}

export function itemsIn(result: unknown): readonly string[] | undefined {
  if (result === undefined) return undefined;
  if (Array.isArray(result) && result.every((item) => typeof item === "string")) return result;
  throw new ModuleFault("the protocol's split returned something other than strings for this message");
}

/** Without a usable result the frame goes out as it was written. */
export function wireFormIn(threw: ModuleThrew, work: () => unknown, written: string): Body {
  try {
    return bodyIn(work()) ?? written;
  } catch (error) {
    threw("the protocol's toWire threw", error);
    return written;
  }
}

/** The most frames that a connection sends by itself at once. */
const MAX_FRAMES = 100;

/** The frames that a connection sends by itself: one, a list, or none. Throws if the result is anything else. */
export function framesIn(result: unknown): readonly Body[] {
  if (result === undefined || result === null) return [];
  const list: readonly unknown[] = Array.isArray(result) ? result : [result];
  if (list.length > MAX_FRAMES) throw new RangeError(`it returned more than ${MAX_FRAMES} frames`);
  return list.map((each) => {
    const frame = bodyIn(each);
    if (frame === undefined) throw new TypeError("it returned something that is no frame");
    return frame;
  });
}

/** Without a usable result the frame goes out as it was written. */
export function adoptedIn(
  threw: ModuleThrew,
  work: () => unknown,
  { ids }: Pick<ModuleTraits, "ids">,
): Adopted | undefined {
  try {
    const result = work();
    const frame = isObject(result) ? bodyIn(result.frame) : undefined;
    if (!isObject(result) || frame === undefined) return undefined;
    const { own, id } = result;
    if (ids !== "callers") return { frame, own };
    return isString(id) ? { frame, own, id } : undefined;
  } catch (error) {
    threw("the protocol's adopt threw", error);
    return undefined;
  }
}

/** Without a usable frame nothing is cancelled, and further frames count as late. */
export function cancellationIn(threw: ModuleThrew, work: () => unknown): Body | undefined {
  try {
    return bodyIn(work());
  } catch (error) {
    threw("the protocol's cancel threw", error);
    return undefined;
  }
}

/** Turns any failure into noise, so that a frame that the module cannot handle never becomes a reply. */
export function decodedIn(
  frame: Body,
  traits: Pick<ModuleTraits, "ids" | "correlation">,
  threw: ModuleThrew,
  decode: Method,
): Decoded {
  try {
    const result = decode(frame);
    const classify = (each: unknown) => messageIn(frame, traits, threw, each);
    if (!Array.isArray(result)) return classify(result);
    if (result.length > MAX_RESULTS) return noise(`the protocol's decode returned more than ${MAX_RESULTS} results`);
    return { type: "several", results: result.map(classify) };
  } catch (error) {
    return decodeThrew(threw, error);
  }
}

function messageIn(
  frame: Body,
  { ids, correlation }: Pick<ModuleTraits, "ids" | "correlation">,
  threw: ModuleThrew,
  result: unknown,
): DecodedMessage {
  try {
    if (!isObject(result)) return noise("the protocol's decode returned nothing for this frame");
    if (result.type === "message") {
      return {
        type: "message",
        ...(result.render !== undefined && keptForm(frame, threw, result)),
        ...(result.wantsReply === true && { wantsReply: true }),
      };
    }
    if (result.type === "noise") return noise(reasonIn(result.why));
    if (result.type === "answer") {
      const answer = bodyIn(result.frame);
      return answer !== undefined
        ? {
            type: "answer",
            frame: answer,
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
    if (!isIdOf(ids, id)) return noise("the protocol's decode returned no usable id for this frame");
    const render = renderer(frame, threw, result);
    const restoring = typeof result.render === "function" && { render };
    if (type === "invalid") return { type, id, why: reasonIn(result.why), ...restoring };
    if (type === "progress") return { type, id, ...restoring };
    return type === "reply" && result.gather !== undefined
      ? { type, id, render, gather: gatherer(frame, threw, result) }
      : { type, id, render };
  } catch (error) {
    return decodeThrew(threw, error);
  }
}

/** The message as it is kept: text or bytes as `render` returns them, anything else as JSON; else the frame. */
function keptForm(frame: Body, threw: ModuleThrew, result: Fields): { json?: true; render(): Body } {
  if (typeof result.render !== "function") return { render: () => copied(frame) };
  try {
    const value = method(result, "render")();
    const body = bodyIn(value);
    if (body !== undefined) return { render: () => body };
    const text = isThenable(value) ? undefined : (JSON.stringify(value) as string | undefined);
    return text === undefined ? { render: () => copied(frame) } : { json: true, render: () => text };
  } catch (error) {
    threw("a render of the protocol threw", error);
    return { render: () => copied(frame) };
  }
}

/** A promise would be kept as `{}`. */
function isThenable(value: unknown): boolean {
  return isObject(value) && "then" in value;
}

/** Without a `render` that works, the caller gets the frame as it arrived, with our id. */
function renderer(frame: Body, threw: ModuleThrew, result: Fields): (own: unknown) => Body {
  if (typeof result.render !== "function") return () => copied(frame);
  const render = method(result, "render");
  return (own) => {
    try {
      return bodyIn(render(own)) ?? copied(frame);
    } catch (error) {
      threw("a render of the protocol threw", error);
      return copied(frame);
    }
  };
}

/** Without a `gather` that works, the caller gets only the last frame. */
function gatherer(frame: Body, threw: ModuleThrew, result: Fields): (frames: readonly Body[]) => Body {
  return (frames) => {
    try {
      return bodyIn(method(result, "gather")(frames)) ?? copied(frame);
    } catch (error) {
      threw("a gather of the protocol threw", error);
      return copied(frame);
    }
  };
}

/** The callers' own ids are strings, ours are numbers. */
function isIdOf(ids: ModuleTraits["ids"], id: unknown): id is WireId {
  return ids === "callers" ? isString(id) : isNumber(id);
}

function noise(why: string): DecodedMessage {
  return { type: "noise", why };
}

function reasonIn(why: unknown): string {
  return typeof why === "string" && why !== "" ? why : "the protocol named no reason";
}

function decodeThrew(threw: ModuleThrew, error: unknown): DecodedMessage {
  threw("the protocol's decode threw", error);
  return noise("the protocol's decode threw an exception, which is in the log");
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/**
 * A copy of the bytes in what the module returned, or its text. The bytes of a reply are transferred to the host, and
 * the module may return the same ones again: they must never be taken from it.
 */
function bodyIn(value: unknown): Body | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? copied(value) : undefined;
}

/** A copy of bytes, which the module may have kept. */
export function copied<Kind extends Body>(body: Kind): Kind | Uint8Array {
  return typeof body === "string" ? body : new Uint8Array(body);
}

export function isString(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

export function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
