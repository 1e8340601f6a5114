/**
 * Configurable protocol for JSON in which a reply repeats the id of its request: objects, or arrays whose elements have
 * meanings by position.
 *
 * By default the id is an integer in `id`, both ways, and every frame with one of our ids is a reply. The presets for
 * particular services are built from this.
 */

import { readsOf, readsOfPlaces } from "./condition.ts";
import { FrameRules } from "./frame-rules.ts";
import { type IdKind, idsOf } from "./id-kinds.ts";
import { AliasFinder, compilePlaces, PlaceFinder, type PlacesOfId } from "./id-places.ts";
import type { JsonRules } from "./json-by-order.ts";
import type { Span } from "./json-check.ts";
import { insertMissing, remove, replace } from "./json-edit.ts";
import {
  checkedJson,
  inKindOf,
  type Json,
  jsonArrayOf,
  nameOf,
  readFrame,
  readMessage,
  textOf,
} from "./json-message.ts";
import { locate, type Place, type Pointer, parsePointer, pointerText } from "./json-place.ts";
import { isOpener, kindOf } from "./json-text.ts";
import {
  type Adopted,
  type Body,
  type Classified,
  type Decoded,
  type DecodedMessage,
  type Encoded,
  InvalidMessage,
  type Protocol,
  type SendRoute,
  type WireId,
} from "./protocol.ts";
import { joinedReads, reading } from "./reads.ts";
import { endMessage, needsAlias } from "./subscription-request.ts";
import { type ErrorRule, unnamedErrors } from "./unnamed-errors.ts";

/** In `cancel`, `$id` stands where the request's id goes. */
export interface JsonOptions extends JsonRules {
  readonly id?:
    | {
        /** The place of the id in a request; by default `/id`. */
        readonly out?: PlacesOfId | undefined;
        /** The place of the id in a reply; by default `/id`. */
        readonly in?: PlacesOfId | undefined;
        /** By default `int`. */
        readonly kind?: IdKind | undefined;
        /** The beginning of ids of kind `string`. */
        readonly prefix?: string | undefined;
        /** More places in a request that get the id, each if it can be there. */
        readonly repeat?: PlacesOfId | undefined;
        /**
         * The place of another id, under which the upstream goes on: a frame with our id teaches it, and frames without
         * ours that have it there belong to the same request.
         */
        readonly alias?: PlacesOfId | undefined;
        /** JSON pointers of more places in a reply that repeat the id, such as that of an echoed request. */
        readonly echo?: readonly string[] | undefined;
      }
    | undefined;
  readonly errors?: ErrorRule | undefined;
  /** Only in presets: the upstream wants an id in every message, even if nobody awaits a reply to it. */
  readonly idsAlways?: true;
}

/** Builds the protocol. Throws if a pointer is invalid or a condition is empty. */
export function json(options: JsonOptions = {}, name = "json", seed?: string): Protocol {
  const { out = "/id", in: into = "/id", kind = "int", prefix, echo = [], repeat, alias } = options.id ?? {};
  const outward = new PlaceFinder(out);
  const inward = new PlaceFinder(into);
  const { maxId, ids, write, read } = idsOf(kind, { prefix, seed });
  const echoes = echo.map(parsePointer);
  const isId = (text: string, value: Span): boolean => read(text, value) !== undefined;
  const errorIn = unnamedErrors(options.errors);
  const rules = new FrameRules(options);
  const aliases = alias === undefined ? undefined : new AliasFinder(alias);
  const copies = repeat === undefined ? [] : compilePlaces(repeat);
  const shape = outward.inArrays ? (outward.inObjects ? "an object or an array" : "an array") : "an object";

  function encode(message: Body, id: number, route: SendRoute): Encoded {
    const json = readMessage(message);
    const { text } = json;
    const found = kindOf(text, json.root);
    if (!(found === "object" ? outward.inObjects : found === "array" && outward.inArrays)) {
      const why = found === "array" ? ": this protocol has no batches" : `, not ${nameOf(found)}`;
      throw new InvalidMessage("shape", `the message must be ${shape}${why}`);
    }
    const place = outward.find(json, isElement);
    const isBare = place === undefined || (!options.idsAlways && !isWritten(text, place));
    if (route === "send" && isBare) return { frame: text, expectsReply: false };
    if (!isOpen(text, place)) throw new InvalidMessage("shape", whyNot(text, place, outward.text));
    if (ids === "callers") return keep(text, place);
    const written = write(id);
    const named = place.type === "missing" ? insertMissing(text, place, written) : replace(text, place.value, written);
    const frame = copies.reduce((each, copy) => withCopy(each, copy, written), named);
    return { frame, expectsReply: true, own: place.type === "missing" ? undefined : slice(text, place.value) };
  }

  /** Puts the id into one more place of a message, if the message is one that has it. */
  function withCopy(
    text: string,
    { pointer, when }: ReturnType<typeof compilePlaces>[number],
    written: string,
  ): string {
    const json = checkedJson(text);
    if (when?.(json) === false) return text;
    const place = locate(text, json.root, pointer);
    if (place.type === "missing") return insertMissing(text, place, written);
    if (place.type === "found") return replace(text, place.value, written);
    throw new InvalidMessage("shape", whyNot(text, place, `"${pointerText(pointer)}"`));
  }

  /** Encodes with the caller's own id. */
  function keep(text: string, place: OpenPlace): Encoded {
    const id = place.type === "found" ? read(text, place.value) : undefined;
    if (place.type === "missing" || typeof id !== "string") {
      throw new InvalidMessage("shape", `this protocol keeps your id: ${outward.text} must be a string or a number`);
    }
    return { frame: text, expectsReply: true, id, own: slice(text, place.value) };
  }

  function adopt(frame: Body, id: number): Adopted | undefined {
    const json = readFrame(frame);
    if ("why" in json) return undefined;
    const place = outward.find(json, isElement);
    if (!isOpen(json.text, place) || place.type === "missing") return undefined;
    const own = slice(json.text, place.value);
    if (ids !== "callers") return { frame: inKindOf(frame, replace(json.text, place.value, write(id))), own };
    const kept = read(json.text, place.value);
    return typeof kept === "string" ? { frame, own, id: kept } : undefined;
  }

  function fault(frame: string): string | undefined {
    const json = readFrame(frame);
    if ("why" in json) return undefined;
    const place = outward.find(json, isElement);
    return place?.type === "duplicate" ? `"${place.key}" occurs twice on the way to ${outward.text}` : undefined;
  }

  function decode(frame: Body): Decoded {
    const json = readFrame(frame);
    if ("why" in json) return decodeText(frame, json.why);
    const { text } = json;
    const place = inward.find(json, isId);
    if (place?.type === "duplicate")
      return { type: "noise", why: `"${place.key}" occurs twice on the way to ${inward.text}` };
    const id = place?.type === "found" ? read(text, place.value) : undefined;
    const alias = aliases?.find(json);
    if (place?.type === "found" && id !== undefined) {
      const named = ofRequest(frame, json, id, place);
      return alias !== undefined && (named.type === "part" || named.type === "progress") ? { ...named, alias } : named;
    }
    const otherwise: DecodedMessage = errorIn(json) ?? { type: "message", json: true };
    if (alias === undefined) return otherwise;
    return { type: "aliased", alias, of: (wire) => ofRequest(frame, json, wire, undefined), otherwise };
  }

  /** Classifies a frame of a request. `place`: where it has the request's id, if it has. */
  function ofRequest(frame: Body, json: Json, id: WireId, place: FoundPlace | undefined): Classified {
    const { type, met } = rules.judge(json);
    if (type === "message") return { type, json: true };
    const render = (own: unknown): Body => {
      if (ids === "callers") return frame;
      const restored = place === undefined ? json.text : withOwnId(json.text, place, own);
      return inKindOf(
        frame,
        echoes.reduce((each, at) => withOwnEcho(each, at, id, own), restored),
      );
    };
    return rules.framed({ type, met }, id, render, options.collect && gather);
  }

  /** Restores the caller's id in a place that repeats ours. */
  function withOwnEcho(text: string, at: Pointer, id: WireId, own: unknown): string {
    const place = locate(text, checkedJson(text).root, at);
    return place.type === "found" && read(text, place.value) === id ? withOwnId(text, place, own) : text;
  }

  /** A frame that is not JSON has no id, but a rule may know its text. */
  function decodeText(frame: Body, why: string): Decoded {
    return errorIn({ text: textOf(frame) }) ?? { type: "noise", why };
  }

  const { collect, cancel: end } = options;
  const endsByAlias = end !== undefined && needsAlias(end);
  const cancel = (id: WireId, known?: string): string | undefined =>
    endsByAlias && known === undefined ? undefined : endMessage(end, typeof id === "number" ? write(id) : id, known);
  const ending = end === undefined ? {} : { cancel };
  const several = { streams: collect !== undefined, maxFrames: collect?.frames };
  const idPlaces = [...outward.pointers, ...copies.map(({ pointer }) => pointerText(pointer))];
  const reads = joinedReads(
    inward.reads,
    rules.reads,
    readsOfPlaces(echo),
    ...(aliases ? [aliases.reads] : []),
    ...(options.errors ? [readsOf(options.errors.when)] : []),
  );
  const ways = { encode, adopt, fault, decode: reading(reads, decode) };
  return { name, correlation: "id", accepts: "json", maxId, ids, idPlaces, ...several, ...ending, ...ways };
}

type FoundPlace = Place & { readonly type: "found" };

/** A place where an id is or can be put. */
type OpenPlace = Place & { readonly type: "found" | "missing" };

/** An array or object as an element of an array is content, and no id. As a member it may be a caller's odd id. */
function isOpen(text: string, place: Place | undefined): place is OpenPlace {
  if (place?.type === "found") return place.holder !== undefined || isElement(text, place.value);
  return place?.type === "missing";
}

/** True if the message has something in the place of its id that can be one, or two of it. */
function isWritten(text: string, place: Place | undefined): boolean {
  return place?.type === "duplicate" || (place?.type === "found" && isOpen(text, place));
}

function isElement(text: string, value: Span): boolean {
  return !isOpener(text.charCodeAt(value.start));
}

/** The reason why a message can have no id. */
function whyNot(text: string, place: Exclude<Place, { type: "missing" }> | undefined, at: string): string {
  switch (place?.type) {
    case undefined:
      return `the message gets no reply: it meets no condition of ${at} (id.out)`;
    case "duplicate":
      return `"${place.key}" occurs twice on the way to ${at}`;
    case "blocked": {
      const isShort = kindOf(text, place.value) === "array";
      const why = isShort ? "the array has no such element; null will do" : "the message has another value in the way";
      return `no id can be placed at ${at}: ${why}`;
    }
    case "found":
      return `the message has ${nameOf(kindOf(text, place.value))} at ${at}, where its id must be`;
  }
}

/** Bytes that have an id of ours hold JSON. */
function gather(frames: readonly Body[]): string {
  return jsonArrayOf(frames.map((frame) => textOf(frame) ?? frame));
}

function slice(text: string, span: Span): string {
  return text.slice(span.start, span.end);
}

function withOwnId(text: string, place: FoundPlace, own: unknown): string {
  return typeof own === "string" ? replace(text, place.value, own) : withoutId(text, place);
}

/** Removes the id. An element of an array becomes null instead, because removal would move the others. */
function withoutId(text: string, { value, holder }: FoundPlace): string {
  return holder === undefined ? replace(text, value, "null") : remove(text, holder.object, holder.key);
}
