/** Protocol for text in which a reply repeats the id of its request, such as lines `#12 OK 3`. */

import { frameText } from "./condition.ts";
import { FrameRules } from "./frame-rules.ts";
import { idsOf } from "./id-kinds.ts";
import type { Span } from "./json-check.ts";
import { inKindOf, textOf } from "./json-message.ts";
import { compilePattern } from "./lazy-pattern.ts";
import type { Pattern } from "./pattern.ts";
import {
  type Adopted,
  type Body,
  type Decoded,
  type Encoded,
  InvalidMessage,
  type Protocol,
  type SendRoute,
} from "./protocol.ts";
import { ending, gather, isTemplate, PLACES, several, type TextIds, type TextOptions } from "./text.ts";
import { unnamedErrors } from "./unnamed-errors.ts";

/** Compiles a pattern that finds ids. Throws an Error if it is invalid, or cannot find any. Needs `preparePatterns`. */
export function idPattern(text: string): Pattern {
  const pattern = compilePattern(text);
  if (!pattern.has("id")) throw new Error("must have a group (?<id>…) around the id");
  return pattern;
}

/**
 * Builds the protocol. Throws if a pattern or a pointer is invalid, or a condition is empty. Needs `preparePatterns`.
 */
export function textIds(options: TextOptions & { readonly id: TextIds }): Protocol {
  const { id } = options;
  const { maxId, ids } = idsOf(id.kind ?? "int");
  const keeps = ids === "callers";
  const outward = isTemplate(id.out) ? undefined : idPattern(id.out);
  const inward = idPattern(id.in);
  const idIn = outward ? (text: string) => outward.find(text, "id")?.part : inTemplate(id.out);
  const rules = new FrameRules(options);
  const errorIn = unnamedErrors(options.errors);

  function encode(message: Body, wire: number, route: SendRoute): Encoded {
    const text = textOf(message);
    if (text === undefined) throw new InvalidMessage("parse", "the bytes are not UTF-8");
    if (text === "") throw new InvalidMessage("shape", "the body is empty");
    if (!outward && route === "request") {
      return { frame: inKindOf(message, filled(id.out, wire, text)), expectsReply: true };
    }
    const own = idIn(text);
    if (own === undefined || own.start === own.end) {
      if (route !== "request") return { frame: message, expectsReply: false };
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
    const found = inward.find(text, "id", "cut");
    const written = found && text.slice(found.part.start, found.part.end);
    const wire = keeps ? written || undefined : readId(written, maxId);
    if (found === undefined || wire === undefined) {
      return errorIn(frameText(frame)) ?? { type: "message" };
    }
    const { type, met } = rules.judge(frameText(frame));
    if (type === "message") return { type };
    const render = (own: unknown): Body => {
      if (keeps) return frame;
      return inKindOf(
        frame,
        typeof own === "string" ? replaced(text, found.part, own) : replaced(text, found.around, ""),
      );
    };
    return rules.framed({ type, met }, wire, render, options.collect && gather);
  }

  const ways = { ...several(options), ...ending(options), encode, adopt, decode };
  return { name: "text", correlation: "id", accepts: "any", maxId, ids, ...ways };
}

/** Fills a template in one pass, so that the caller's message is not searched for placeholders. */
function filled(template: string, id: number, message: string): string {
  return template.replace(PLACES, (_, name: string) => (name === "id" ? String(id) : message));
}

/**
 * Finds the id in a text that a template could have made, which is digits or the placeholder itself. Without a regular
 * expression: a caller's text must not make one go back and forth.
 */
function inTemplate(template: string): (text: string) => Span | undefined {
  const [before = "", first, between = "", , after = ""] = template.split(/(\$(?:id|message)(?!\w))/);
  const isFirst = first === "$id";
  return (text) => {
    const end = text.length - after.length;
    if (!text.startsWith(before) || !text.endsWith(after) || end < before.length) return undefined;
    const span = isFirst ? idFrom(text, before.length) : idUpTo(text, end);
    const rest = isFirst ? { start: span.end, end } : { start: before.length, end: span.start };
    const hasBetween = isFirst
      ? text.startsWith(between, rest.start)
      : text.startsWith(between, rest.end - between.length);
    return hasBetween && rest.end - rest.start >= between.length ? span : undefined;
  };
}

const isDigit = (text: string, at: number): boolean => /^\d$/.test(text.charAt(at));

function idFrom(text: string, start: number): Span {
  if (text.startsWith("$id", start)) return { start, end: start + 3 };
  let end = start;
  while (isDigit(text, end)) end++;
  return { start, end };
}

function idUpTo(text: string, end: number): Span {
  if (text.endsWith("$id", end)) return { start: end - 3, end };
  let start = end;
  while (isDigit(text, start - 1)) start--;
  return { start, end };
}

function replaced(text: string, { start, end }: Span, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** Only plain digits are ours: "07" is a different text, although it reads as the same number. */
function readId(written: string | undefined, maxId: number): number | undefined {
  const id = Number(written);
  return String(id) === written && Number.isSafeInteger(id) && id >= 0 && id <= maxId ? id : undefined;
}
