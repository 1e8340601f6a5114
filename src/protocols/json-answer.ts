/** Rules that answer the upstream's own requests with fixed frames, into which parts of the request are copied. */

import { type Condition, compile } from "./condition.ts";
import { insertMissing, locate, type Pointer, parsePointer, replace } from "./json-edit.ts";
import { type Json, readFrame } from "./json-message.ts";

export interface AnswerRule {
  readonly when: Condition;
  /** A string is sent as is, any other value as JSON. */
  readonly send: unknown;
  /** JSON pointers: place in the answer → source in the request. A source that does not exist is skipped. */
  readonly copy?: Readonly<Record<string, string>> | undefined;
}

export interface Answer {
  readonly frame: string;
  /** True if the answer carries an id of its own, and does not repeat one of the upstream's. */
  readonly adopt?: true;
}

/**
 * Compiles rules into a function that returns the answer to a frame, or undefined if no rule applies. Throws if a
 * pointer is invalid or a condition is empty.
 *
 * @param idAt JSON pointer of the id in our messages
 */
export function answering(rules: readonly AnswerRule[], idAt: string): (json: Json) => Answer | undefined {
  const compiled = rules.map((rule) => ({
    test: compile(rule.when),
    text: textOfAnswer(rule),
    adopt: literalId(rule, idAt) !== undefined,
    copies: Object.entries(rule.copy ?? {}).map(([to, from]): [Pointer, Pointer] => [
      parsePointer(to),
      parsePointer(from),
    ]),
  }));
  return (json) => {
    const rule = compiled.find(({ test }) => test(json));
    if (rule === undefined) return undefined;
    const frame = rule.copies.reduce((text, [to, from]) => copied(json, from, text, to), rule.text);
    return rule.adopt ? { frame, adopt: true } : { frame };
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

function copied({ text: request, root }: Json, from: Pointer, answer: string, to: Pointer): string {
  const source = locate(request, root, from);
  if (source.type !== "found") return answer;
  const value = request.slice(source.value.start, source.value.end);
  const target = locate(answer, { start: 0, end: answer.length }, to);
  if (target.type === "missing") return insertMissing(answer, target, value);
  return target.type === "found" ? replace(answer, target.value, value) : answer;
}
