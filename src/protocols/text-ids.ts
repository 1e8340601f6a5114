/**
 * Protocol for text in which a reply repeats the id of its request, such as lines `#12 OK 3`.
 *
 * Import this module only when a configuration uses it: the library for its patterns is slow to load.
 */

import { idsOf } from "./id-kinds.ts";
import type { Span } from "./json-check.ts";
import { inKindOf, textOf } from "./json-message.ts";
import { Pattern } from "./pattern.ts";
import {
  type Adopted,
  type Body,
  type Decoded,
  type Encoded,
  InvalidMessage,
  type Mode,
  type Protocol,
} from "./protocol.ts";
import { isTemplate, PLACES, type TextIds, type TextOptions } from "./text.ts";
import { classifier, demandPatterns, gather, several } from "./text-rules.ts";

/** Builds the protocol. Throws if a pattern is invalid. */
export function textIds(options: TextOptions & { readonly id: TextIds }): Protocol {
  demandPatterns(options);
  const { id } = options;
  const { maxId, ids } = idsOf(id.kind ?? "int");
  const keeps = ids === "callers";
  const outward = isTemplate(id.out) ? undefined : new Pattern(id.out);
  const inward = new Pattern(id.in);
  const idIn = outward ? (text: string) => outward.find(text, "id")?.part : inTemplate(id.out);
  const classify = classifier(options);
  const { errors } = options;
  const isError = errors && errors.do !== "message" ? new Pattern(errors.when) : undefined;
  const fails = errors?.do === "fail_all" ? "all" : "oldest";

  function encode(message: Body, wire: number, mode: Mode): Encoded {
    const text = textOf(message);
    if (text === undefined) throw new InvalidMessage("parse", "the bytes are not UTF-8");
    if (text === "") throw new InvalidMessage("shape", "the body is empty");
    if (!outward) return { frame: inKindOf(message, filled(id.out, wire, text)), expectsReply: true };
    const own = outward.find(text, "id")?.part;
    if (own === undefined || own.start === own.end) {
      // A message that expects no reply needs no id.
      if (mode === "rpc") return { frame: message, expectsReply: false };
      throw new InvalidMessage("shape", "the message has no id: the pattern `id.out` of this protocol finds none");
    }
    const written = text.slice(own.start, own.end);
    if (keeps) return { frame: message, expectsReply: true, own: written, id: written };
    return { frame: inKindOf(message, replaced(text, own, String(wire))), expectsReply: true, own: written };
  }

  /** Finds the id where a caller's would be, or where the template puts ours. */
  function adopt(frame: Body, wire: number): Adopted | undefined {
    const text = textOf(frame);
    if (text === undefined) return undefined;
    const own = idIn(text);
    if (own === undefined || own.start === own.end) return undefined;
    const written = text.slice(own.start, own.end);
    if (keeps) return { frame, own: written, id: written };
    return { frame: inKindOf(frame, replaced(text, own, String(wire))), own: written };
  }

  function decode(frame: Body): Decoded {
    const text = textOf(frame);
    if (text === undefined) return { type: "noise", why: "the bytes are not UTF-8" };
    const found = inward.find(text, "id");
    const written = found && text.slice(found.part.start, found.part.end);
    const wire = keeps ? written || undefined : readId(written, maxId);
    if (found === undefined || wire === undefined) {
      return isError?.test(text) ? { type: "error", fails } : { type: "message" };
    }
    const type = classify(text);
    if (type === "message") return { type };
    const render = (own: unknown): Body => {
      if (keeps) return frame;
      return inKindOf(
        frame,
        typeof own === "string" ? replaced(text, found.part, own) : replaced(text, found.whole, ""),
      );
    };
    return type === "reply" && options.collect ? { type, id: wire, render, gather } : { type, id: wire, render };
  }

  return { name: "text", correlation: "id", accepts: "any", maxId, ids, ...several(options), encode, adopt, decode };
}

/** Fills a template in one pass, so that the caller's message is not searched for placeholders. */
function filled(template: string, id: number, message: string): string {
  return template.replace(PLACES, (_, name: string) => (name === "id" ? String(id) : message));
}

/**
 * Finds the id in a text that a template could have made, which is digits or the placeholder itself. It sees only the
 * configuration's own frames, so its expression need not be RE2's.
 */
function inTemplate(template: string): (text: string) => Span | undefined {
  const parts = template.split(/(\$(?:id|message)(?!\w))/).map((part) => {
    if (part === "$id") return "(?<id>\\d+|\\$id)";
    return part === "$message" ? ".*" : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  const expression = new RegExp(`^${parts.join("")}$`, "ds");
  return (text) => {
    const found = expression.exec(text)?.indices?.groups?.id;
    return found && { start: found[0], end: found[1] };
  };
}

function replaced(text: string, { start, end }: Span, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** Only plain digits are ours: "07" is a different text, although it reads as the same number. */
function readId(written: string | undefined, maxId: number): number | undefined {
  const id = Number(written);
  return String(id) === written && Number.isSafeInteger(id) && id >= 0 && id <= maxId ? id : undefined;
}
