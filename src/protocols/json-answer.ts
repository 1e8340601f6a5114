/** Requests of the upstream's own, answered by a rule: a frame that is meant gets a fixed answer, with parts of it copied in. */

import { type Condition, compile } from "./condition.ts";
import { insertMissing, locate, type Pointer, parsePointer, replace } from "./json-edit.ts";
import type { Json } from "./json-message.ts";

export interface AnswerRule {
  readonly when: Condition;
  /** A text goes out as it is, anything else as JSON. */
  readonly send: unknown;
  /** Where in the answer (JSON pointer) → where in the request its value comes from. What is not there is not copied. */
  readonly copy?: Readonly<Record<string, string>> | undefined;
}

/** @returns what answers a frame; undefined when no rule means it. Throws an Error for a pointer that is none. */
export function answering(rules: readonly AnswerRule[]): (json: Json) => string | undefined {
  const known = rules.map(({ when, send, copy = {} }) => ({
    test: compile(when),
    text: typeof send === "string" ? send : JSON.stringify(send),
    copies: Object.entries(copy).map(([to, from]): [Pointer, Pointer] => [parsePointer(to), parsePointer(from)]),
  }));
  return (json) => {
    const rule = known.find(({ test }) => test(json));
    return rule?.copies.reduce((text, [to, from]) => copied(json, from, text, to), rule.text);
  };
}

function copied({ text: request, root }: Json, from: Pointer, answer: string, to: Pointer): string {
  const source = locate(request, root, from);
  if (source.type !== "found") return answer;
  const value = request.slice(source.value.start, source.value.end);
  const target = locate(answer, { start: 0, end: answer.length }, to);
  if (target.type === "missing") return insertMissing(answer, target, value);
  return target.type === "found" ? replace(answer, target.value, value) : answer;
}
