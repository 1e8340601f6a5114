/**
 * Any dialect of JSON objects in which a reply repeats the id of its request. Where the id goes out and comes back, and
 * what it looks like, are settings; by default it is an integer in `id`, both ways.
 */

import type { Span } from "./json-check.ts";
import { insertMissing, locate, type Place, parsePointer, remove, replace } from "./json-edit.ts";
import { idOf, inKindOf, nameOf, readFrame, readMessage } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Protocol } from "./protocol.ts";

/** How ids look on the wire: an integer, one of at most 2^31 - 1, or a string of decimal digits. */
export type IdKind = "int" | "int32" | "string";

export interface JsonOptions {
  readonly id?:
    | {
        /** JSON pointer of the id in a request; `/id` unless given. */
        readonly out?: string | undefined;
        /** JSON pointer of the id in a reply; `/id` unless given. */
        readonly in?: string | undefined;
        /** `int` unless given. */
        readonly kind?: IdKind | undefined;
      }
    | undefined;
}

const INT32_MAX = 2 ** 31 - 1;

/** Makes the protocol. Throws an Error for a pointer that is none. */
export function json(options: JsonOptions = {}): Protocol {
  const { out = "/id", in: back = "/id", kind = "int" } = options.id ?? {};
  const outPointer = parsePointer(out);
  const inPointer = parsePointer(back);
  if (out === "" || back === "") throw new Error("an id cannot be the whole message: its pointer must name a member");
  const maxId = kind === "int32" ? INT32_MAX : Number.MAX_SAFE_INTEGER;

  /** Every message expects a reply, however it came in: only JSON-RPC has notifications. */
  function encode(message: Body, id: number): Encoded {
    const { text, root } = readMessage(message);
    const found = kindOf(text, root);
    if (found === "array")
      throw new InvalidMessage("shape", "the message must be an object: this protocol has no batches");
    if (found !== "object") throw new InvalidMessage("shape", `the message must be an object, not ${nameOf(found)}`);
    const written = kind === "string" ? `"${id}"` : String(id);
    const place = locate(text, root, outPointer);
    switch (place.type) {
      case "found":
        return { frame: replace(text, place.value, written), expectsReply: true, own: slice(text, place.value) };
      case "missing":
        return { frame: insertMissing(text, place, written), expectsReply: true };
      case "blocked":
        throw new InvalidMessage("shape", `there is no place for an id at "${out}"`);
      case "duplicate":
        throw new InvalidMessage("shape", `"${place.key}" occurs twice on the way to "${out}"`);
    }
  }

  function decode(frame: Body): Decoded {
    const read = readFrame(frame);
    if ("why" in read) return { type: "noise", why: read.why };
    const { text, root } = read;
    const place = locate(text, root, inPointer);
    if (place.type === "duplicate")
      return {
        type: "noise",
        why: `"${place.key}" occurs twice on the way to "${back}"`,
      };
    const id = place.type === "found" ? readId(text, place.value) : undefined;
    if (place.type !== "found" || id === undefined) return { type: "message" };
    return {
      type: "reply",
      id,
      render: (own) =>
        inKindOf(frame, typeof own === "string" ? replace(text, place.value, own) : withoutId(text, place)),
    };
  }

  function readId(text: string, value: Span): number | undefined {
    const wanted = kind === "string" ? "string" : "number";
    if (kindOf(text, value) !== wanted) return undefined;
    const written = wanted === "string" ? stringAt(text, value) : slice(text, value);
    // The string that we send is plain digits; one that only reads as the same number is not ours.
    const id = idOf(written);
    if (id === undefined || id > maxId || (wanted === "string" && String(id) !== written)) return undefined;
    return id;
  }

  return { name: "json", correlation: "id", accepts: "json", maxId, encode, decode };
}

function slice(text: string, span: Span): string {
  return text.slice(span.start, span.end);
}

/** An element is not taken out of an array, which would move the others: it becomes null. */
function withoutId(text: string, { value, holder }: Place & { type: "found" }): string {
  return holder === undefined ? replace(text, value, "null") : remove(text, holder.object, holder.key);
}
