/** Places of ids in JSON messages: where each is looked for, and which of several counts. */

import { type Condition, compile, readsOf, readsOfPlaces, type Test } from "./condition.ts";
import { idsOf } from "./id-kinds.ts";
import type { Span } from "./json-check.ts";
import type { Json } from "./json-message.ts";
import { locate, type Place, type Pointer, parsePointer } from "./json-place.ts";
import { joinedReads, type Reads } from "./reads.ts";

/** A JSON pointer; with `when`, only in messages that meet the condition. */
export type PlaceOfId = string | { readonly at: string; readonly when?: Condition | undefined };

/** One place, or several, of which the first that is there counts. */
export type PlacesOfId = PlaceOfId | readonly PlaceOfId[];

/** A pointer into an array. An object's key may look the same, but no API names a member so. */
const ELEMENT = /^\/(?:0|[1-9]\d*)(?:\/|$)/;

interface Compiled {
  readonly pointer: Pointer;
  /** The messages with this place; undefined for all. */
  readonly when: Test | undefined;
}

/** Compiles places. Throws an Error if a pointer is invalid or names no member, or a condition is empty. */
export function compilePlaces(places: PlacesOfId): readonly Compiled[] {
  return listOf(places).map((place) => {
    const { at, when } = typeof place === "string" ? { at: place, when: undefined } : place;
    if (at === "") throw new Error("an id cannot be the whole message: its pointer must name a member");
    return { pointer: parsePointer(at), when: when && compile(when) };
  });
}

export class PlaceFinder {
  readonly #places: readonly Compiled[];
  /** The place of a protocol that has one, in every message: the way of nearly all frames. */
  readonly #only: Pointer | undefined;
  readonly pointers: readonly string[];
  /** The places, for a sentence. */
  readonly text: string;
  /** True if messages with an id may be arrays, or objects. */
  readonly inArrays: boolean;
  readonly inObjects: boolean;
  readonly reads: Reads;

  /** Throws as {@link compilePlaces}. */
  constructor(places: PlacesOfId) {
    const pointers = listOf(places).map((place) => (typeof place === "string" ? place : place.at));
    if (pointers.length === 0) throw new Error("an id must have a place");
    this.#places = compilePlaces(places);
    const [first, second] = this.#places;
    this.#only = second === undefined && first?.when === undefined ? first?.pointer : undefined;
    this.pointers = pointers;
    this.text = pointers.map((pointer) => `"${pointer}"`).join(" or ");
    this.reads = joinedReads(readsOfPlaces(pointers), ...conditionsOf(places).map(readsOf));
    this.inArrays = pointers.some((pointer) => ELEMENT.test(pointer));
    this.inObjects = pointers.some((pointer) => !ELEMENT.test(pointer));
  }

  /**
   * Finds the place of a message's id: the first with a value that `isId` takes for one; else the first where an id
   * could be; else why none can be. A key that occurs twice on the way ends the search. Undefined if the message meets
   * the condition of no place. A single place without a condition is returned whatever is there.
   */
  find(json: Json, isId: (text: string, value: Span) => boolean): Place | undefined {
    if (this.#only !== undefined) return locate(json.text, json.root, this.#only);
    let best: Place | undefined;
    for (const { pointer, when } of this.#places) {
      if (when !== undefined && !when(json)) continue;
      const place = locate(json.text, json.root, pointer);
      if (place.type === "duplicate") return place;
      if (place.type === "found" && isId(json.text, place.value)) return place;
      if (best === undefined || (best.type !== "missing" && place.type === "missing")) best = place;
    }
    return best;
  }
}

/** A longer id is no alias: many of them are kept. */
const ALIAS_MAX_CHARACTERS = 128;

const { read: readAny } = idsOf("keep");

/** Finds the upstream's own id of what a frame belongs to, a text or a number, as normalized JSON. */
export class AliasFinder {
  readonly #places: PlaceFinder;

  /** Throws as {@link compilePlaces}. */
  constructor(places: PlacesOfId) {
    this.#places = new PlaceFinder(places);
  }

  get reads(): Reads {
    return this.#places.reads;
  }

  find(json: Json): string | undefined {
    const place = this.#places.find(json, (text, value) => readAny(text, value) !== undefined);
    const alias = place?.type === "found" ? readAny(json.text, place.value) : undefined;
    return typeof alias === "string" && alias.length <= ALIAS_MAX_CHARACTERS ? alias : undefined;
  }
}

function conditionsOf(places: PlacesOfId): readonly Condition[] {
  return listOf(places).flatMap((place) => (typeof place === "string" || !place.when ? [] : [place.when]));
}

function listOf(places: PlacesOfId): readonly PlaceOfId[] {
  return Array.isArray(places) ? places : [places as PlaceOfId];
}
