/** Rules that answer the upstream's own requests with fixed frames, into which parts of the request are copied. */

import { type Condition, compile, type FrameText } from "./condition.ts";
import { insertMissing, locate, type Pointer, parsePointer, replace } from "./json-edit.ts";

export interface AnswerRule {
  readonly when: Condition;
  /** A string is sent as is, any other value as JSON. */
  readonly send: unknown;
  /** JSON pointers: place in the answer → source in the request. A source that does not exist is skipped. */
  readonly copy?: Readonly<Record<string, string>> | undefined;
  /** True if the request is a message, too. */
  readonly keep?: boolean | undefined;
}

interface Answer {
  readonly text: string;
  readonly keep: boolean;
}

/**
 * Compiles rules into a function that returns the answer to a frame, or undefined if no rule applies. Throws if a
 * pointer is invalid or a condition is empty.
 */
export function answering(rules: readonly AnswerRule[]): (frame: FrameText) => Answer | undefined {
  const compiled = rules.map(({ when, send, copy = {}, keep = false }) => ({
    keep,
    test: compile(when),
    text: typeof send === "string" ? send : JSON.stringify(send),
    copies: Object.entries(copy).map(([to, from]): [Pointer, Pointer] => [parsePointer(to), parsePointer(from)]),
  }));
  return (frame) => {
    const rule = compiled.find(({ test }) => test(frame));
    if (!rule) return undefined;
    return {
      text: rule.copies.reduce((text, [to, from]) => copied(frame, from, text, to), rule.text),
      keep: rule.keep,
    };
  };
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
