/** The `json` protocol with answers, as the configuration puts it together. */
import { type AnswerRule, withAnswers } from "../../src/protocols/answers.ts";
import { type JsonOptions, json } from "../../src/protocols/json.ts";
import type { Protocol } from "../../src/protocols/protocol.ts";

export interface AnsweringOptions extends JsonOptions {
  readonly answers?: readonly AnswerRule[] | undefined;
}

export function answeringJson({ answers, ...options }: AnsweringOptions): Protocol {
  return withAnswers(json(options), answers);
}
