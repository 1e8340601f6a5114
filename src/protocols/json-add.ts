/** The addition of a value to a message, as by `add` of JSON Patch (RFC 6902). */

import { insertFirst, replace } from "./json-edit.ts";
import { inKindOf, readFrame } from "./json-message.ts";
import { locate, type Place, parsePointer } from "./json-place.ts";
import { elements, kindOf } from "./json-text.ts";
import { type Body, InvalidMessage } from "./protocol.ts";

/**
 * Puts a value into a message: a member of an object is set, an element of an array is inserted. Objects and arrays
 * that are missing on the way are made; `0` and `-` lead to an array.
 * @param value JSON
 * @throws InvalidMessage if the message has no such place
 */
export function withAdded(message: Body, pointer: string, value: string): Body {
  const json = readFrame(message);
  if ("why" in json) throw new InvalidMessage("shape", `nothing can be added to it: ${json.why}`);
  const { text, root } = json;
  const place = locate(text, root, parsePointer(pointer));
  const added = addedAt(text, place, value);
  if (added === undefined) throw new InvalidMessage("shape", `it has no place at "${pointer}" for what is added (add)`);
  return inKindOf(message, added);
}

/** True if what is added would replace what is at another place, or move it, or go into it. */
export function isInTheWay(added: string, place: string): boolean {
  const [to, of] = [parsePointer(added), parsePointer(place)];
  const shared = to.findIndex((token, depth) => token !== of[depth]);
  if (shared < 0 || shared >= of.length) return true;
  const [index = "", element = ""] = [to[shared], of[shared]];
  // An element is inserted before those from its index on.
  return shared === to.length - 1 && INDEX.test(index) && INDEX.test(element) && Number(index) < Number(element);
}

const INDEX = /^(?:0|[1-9]\d*)$/;

function addedAt(text: string, place: Place, value: string): string | undefined {
  switch (place.type) {
    case "found": {
      if (place.holder !== undefined) return replace(text, place.value, value);
      const { start } = place.value;
      return replace(text, { start, end: start }, `${value},`);
    }
    case "missing": {
      const [key = "", ...inner] = place.rest;
      return insertFirst(text, place.parent, key, inner.reduceRight(holding, value));
    }
    case "blocked": {
      const [token, ...deeper] = place.rest;
      if (kindOf(text, place.value) !== "array" || deeper.length > 0) return undefined;
      const length = [...elements(text, place.value)].length;
      if (token !== "-" && token !== String(length)) return undefined;
      const end = place.value.end - 1;
      return replace(text, { start: end, end }, `${length === 0 ? "" : ","}${value}`);
    }
    case "duplicate":
      return undefined;
  }
}

function holding(value: string, token: string): string {
  return token === "0" || token === "-" ? `[${value}]` : `{${JSON.stringify(token)}:${value}}`;
}
