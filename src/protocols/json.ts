/**
 * Any dialect of JSON objects in which a reply repeats the id of its request. Where the id goes out and comes back, what
 * it looks like, and which frames are replies at all, are settings; by default it is an integer in `id`, both ways, and
 * every frame with an id of ours is a reply. The presets for particular dialects are made of this.
 */

import { type Condition, compile, compileAny } from "./condition.ts";
import { type AnswerRule, answering } from "./json-answer.ts";
import type { Span } from "./json-check.ts";
import { insertMissing, locate, type Place, parsePointer, remove, replace } from "./json-edit.ts";
import { type IdKind, idsOf } from "./json-id.ts";
import { inKindOf, type Json, nameOf, readFrame, readMessage, textOf } from "./json-message.ts";
import { kindOf } from "./json-text.ts";
import { type Body, type Decoded, type Encoded, InvalidMessage, type Mode, type Protocol } from "./protocol.ts";

/** What becomes of an error that names no request. */
export const ERROR_DEEDS = ["fail_oldest", "message", "fail_all"] as const;
export type ErrorDeed = (typeof ERROR_DEEDS)[number];

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
  /** What a frame with our id must be like to be a reply; else it is a message. */
  readonly reply?: Condition | undefined;
  /** Frames with our id that come before the reply: messages. */
  readonly skip?: readonly Condition[] | undefined;
  /** Frames that end a request. What comes before one is skipped, or with `collect` a part of the reply. */
  readonly final?: readonly Condition[] | undefined;
  /** The reply is an array of all frames with the id. */
  readonly collect?: { readonly frames?: number | undefined } | undefined;
  readonly errors?: { readonly when: Condition; readonly do: ErrorDeed } | undefined;
  readonly answers?: readonly AnswerRule[] | undefined;
}

/** Makes the protocol. Throws an Error for a pointer that is none. */
export function json(options: JsonOptions = {}, name = "json"): Protocol {
  const { out = "/id", in: back = "/id", kind = "int" } = options.id ?? {};
  const outPointer = parsePointer(out);
  const inPointer = parsePointer(back);
  if (out === "" || back === "") throw new Error("an id cannot be the whole message: its pointer must name a member");
  const { maxId, ids, write, read } = idsOf(kind);
  const answer = answering(options.answers ?? []);
  const isError = options.errors && options.errors.do !== "message" ? compile(options.errors.when) : undefined;
  const fails = options.errors?.do === "fail_all" ? "all" : "oldest";
  const classify = classifier(options);

  /** Every message expects a reply, however it came in: only JSON-RPC has notifications. */
  function encode(message: Body, id: number, mode: Mode): Encoded {
    const { text, root } = readMessage(message);
    const found = kindOf(text, root);
    if (found === "array")
      throw new InvalidMessage("shape", "the message must be an object: this protocol has no batches");
    if (found !== "object") throw new InvalidMessage("shape", `the message must be an object, not ${nameOf(found)}`);
    const place = locate(text, root, outPointer);
    if (place.type === "blocked") throw new InvalidMessage("shape", `there is no place for an id at "${out}"`);
    if (place.type === "duplicate")
      throw new InvalidMessage("shape", `"${place.key}" occurs twice on the way to "${out}"`);
    if (ids === "callers") return keep(text, place, mode);
    if (place.type === "missing") return { frame: insertMissing(text, place, write(id)), expectsReply: true };
    return { frame: replace(text, place.value, write(id)), expectsReply: true, own: slice(text, place.value) };
  }

  /** What is only sent needs no id. */
  function keep(text: string, place: Place & { type: "found" | "missing" }, mode: Mode): Encoded {
    if (place.type === "missing" && mode === "rpc") return { frame: text, expectsReply: false };
    const id = place.type === "found" ? read(text, place.value) : undefined;
    if (place.type === "missing" || typeof id !== "string") {
      throw new InvalidMessage("shape", `this protocol keeps your id: "${out}" must be a string or a number`);
    }
    return { frame: text, expectsReply: true, id, own: slice(text, place.value) };
  }

  function decode(frame: Body): Decoded {
    const given = readFrame(frame);
    if ("why" in given) return { type: "noise", why: given.why };
    const { text, root } = given;
    const answered = answer(given);
    if (answered !== undefined) return { type: "answer", frame: answered };
    const place = locate(text, root, inPointer);
    if (place.type === "duplicate")
      return {
        type: "noise",
        why: `"${place.key}" occurs twice on the way to "${back}"`,
      };
    const id = place.type === "found" ? read(text, place.value) : undefined;
    if (place.type !== "found" || id === undefined) {
      return isError?.(given) ? { type: "error", fails } : { type: "message", json: true };
    }
    const type = classify(given);
    if (type === "message") return { type, json: true };
    if (type === "progress") return { type, id };
    const render = (own: unknown): Body => {
      if (ids === "callers") return frame;
      return inKindOf(frame, typeof own === "string" ? replace(text, place.value, own) : withoutId(text, place));
    };
    if (type === "reply" && options.collect) return { type, id, render, gather };
    return { type, id, render };
  }

  const { collect } = options;
  const several = { streams: collect !== undefined, maxFrames: collect?.frames };
  return { name, correlation: "id", accepts: "json", maxId, ids, ...several, encode, decode };
}

/** What a frame with an id is. */
function classifier({ reply, skip, final, collect }: JsonOptions) {
  const isReply = reply && compile(reply);
  const isSkipped = skip && compileAny(skip);
  const isFinal = final && compileAny(final);
  return (given: Json): "reply" | "part" | "progress" | "message" => {
    if (isReply && !isReply(given)) return "message";
    if (isSkipped?.(given)) return "progress";
    if (!isFinal || isFinal(given)) return "reply";
    return collect ? "part" : "progress";
  };
}

function gather(frames: readonly Body[]): string {
  return `[${frames.map(textOf).join(",")}]`;
}

function slice(text: string, span: Span): string {
  return text.slice(span.start, span.end);
}

/** An element is not taken out of an array, which would move the others: it becomes null. */
function withoutId(text: string, { value, holder }: Place & { type: "found" }): string {
  return holder === undefined ? replace(text, value, "null") : remove(text, holder.object, holder.key);
}
