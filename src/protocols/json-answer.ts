/** Rules that answer the upstream's own requests with fixed frames, into which parts of the request are copied. */

import { type Condition, compile, type FrameText } from "./condition.ts";
import { insertMissing, replace } from "./json-edit.ts";
import { readFrame } from "./json-message.ts";
import { locate, type Pointer, parsePointer } from "./json-place.ts";

export interface AnswerRule {
  readonly when: Condition;
  /** A string is sent as is, any other value as JSON. */
  readonly send: unknown;
  /** JSON pointers: place in the answer → source in the request. A source that does not exist is skipped. */
  readonly copy?: Readonly<Record<string, string>> | undefined;
  /** True if the request is a message, too. */
  readonly keep?: boolean | undefined;
  /** `delivered`: the answer waits until a webhook has delivered the request, which is a message, too. */
  readonly after?: "delivered" | undefined;
  /** How long it waits, in milliseconds. Without a delivery by then, nothing is sent. */
  readonly within?: number | undefined;
}

const DELIVERED_WITHIN_MS = 30_000;

export interface Answer {
  readonly frame: string;
  /** True if the answer carries an id of its own, and does not repeat one of the upstream's. */
  readonly adopt?: true;
  /** Set if the frame is a message, too: `json` if it is known to be JSON. */
  readonly keep?: "json" | "any";
  readonly deliveredWithinMs?: number;
}

/**
 * Compiles rules into a function that returns the answer to a frame, or undefined if no rule applies. Throws if a
 * pointer is invalid or a condition is empty.
 *
 * @param idAt JSON pointer of the id in our messages
 */
export function answering(rules: readonly AnswerRule[], idAt: string): (frame: FrameText) => Answer | undefined {
  const compiled = rules.map((rule) => ({
    test: compile(rule.when),
    text: textOfAnswer(rule),
    keep: rule.keep === true || rule.after !== undefined,
    deliveredWithinMs: rule.after && (rule.within ?? DELIVERED_WITHIN_MS),
    adopt: literalId(rule, idAt) !== undefined,
    copies: Object.entries(rule.copy ?? {}).map(([to, from]): [Pointer, Pointer] => [
      parsePointer(to),
      parsePointer(from),
    ]),
  }));
  return (request) => {
    const rule = compiled.find(({ test }) => test(request));
    if (rule === undefined) return undefined;
    const keep = request.root === undefined ? "any" : "json";
    return {
      frame: rule.copies.reduce((text, [to, from]) => copied(request, from, text, to), rule.text),
      ...(rule.adopt && { adopt: true }),
      ...(rule.keep && { keep }),
      ...(rule.deliveredWithinMs !== undefined && { deliveredWithinMs: rule.deliveredWithinMs }),
    };
  };
}

/**
 * The id that every answer of the rule carries; undefined if it carries none, or repeats that of the upstream: by
 * `copy`, or because the condition demands the same value at that place.
 */
export function literalId(rule: AnswerRule, idAt: string): string | undefined {
  const { when, copy = {} } = rule;
  if (Object.keys(copy).some((to) => idAt === to || idAt.startsWith(`${to}/`))) return undefined;
  const json = readFrame(textOfAnswer(rule));
  if ("why" in json) return undefined;
  const place = locate(json.text, json.root, parsePointer(idAt));
  if (place.type !== "found") return undefined;
  const id = json.text.slice(place.value.start, place.value.end);
  return JSON.stringify(when.match?.[idAt]) === id ? undefined : id;
}

export function textOfAnswer({ send }: AnswerRule): string {
  return typeof send === "string" ? send : JSON.stringify(send);
}

function copied({ text: request, root }: FrameText, from: Pointer, answer: string, to: Pointer): string {
  if (root === undefined) return answer;
  const source = locate(request, root, from);
  if (source.type !== "found") return answer;
  const value = request.slice(source.value.start, source.value.end);
  const target = locate(answer, { start: 0, end: answer.length }, to);
  if (target.type === "missing") return insertMissing(answer, target, value);
  return target.type === "found" ? replace(answer, target.value, value) : answer;
}
