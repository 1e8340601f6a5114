/** Places of ids in JSON messages: where each is looked for, and which of several counts. */

import { type Condition, compile, type Test } from "./condition.ts";
import type { Span } from "./json-check.ts";
import type { Json } from "./json-message.ts";
import { locate, type Place, type Pointer, parsePointer } from "./json-place.ts";

/** A JSON pointer; with `when`, only in messages that meet the condition. */
export type PlaceOfId = string | { readonly at: string; readonly when?: Condition | undefined };

/** One place, or several, of which the first that is there counts. */
export type PlacesOfId = PlaceOfId | readonly PlaceOfId[];

/** A pointer into an array. An object's key may look the same, but no API names a member so. */
const ELEMENT = /^\/(?:0|[1-9]\d*)(?:\/|$)/;

interface Compiled {
  readonly pointer: Pointer;
  readonly when: Test | undefined;
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

  /** Throws an Error if a pointer is invalid or names no member, or a condition is empty. */
  constructor(places: PlacesOfId) {
    const pointers = listOf(places).map((place) => (typeof place === "string" ? place : place.at));
    if (pointers.length === 0) throw new Error("an id must have a place");
    if (pointers.includes("")) throw new Error("an id cannot be the whole message: its pointer must name a member");
    this.#places = listOf(places).map((place) =>
      typeof place === "string"
        ? { pointer: parsePointer(place), when: undefined }
        : { pointer: parsePointer(place.at), when: place.when && compile(place.when) },
    );
    const [first, second] = this.#places;
    this.#only = second === undefined && first?.when === undefined ? first?.pointer : undefined;
    this.pointers = pointers;
    this.text = pointers.map((pointer) => `"${pointer}"`).join(" or ");
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

function listOf(places: PlacesOfId): readonly PlaceOfId[] {
  return Array.isArray(places) ? places : [places as PlaceOfId];
}
