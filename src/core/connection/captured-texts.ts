/** The texts and JSON messages into which captured values are put when they go out. */

import { textOfScalar } from "../../protocols/json-text.ts";
import type { AnswerForm } from "../../protocols/protocol.ts";
import { STRINGS } from "../../protocols/subscription-request.ts";
import {
  ALL_AT_ONCE,
  capturedPlaceholder,
  fillText,
  GOING_OUT,
  type Moment,
  type Resolve,
  type Token,
  tokenize,
} from "../../secrets/placeholders.ts";
import type { CapturedScalars } from "./captured-values.ts";

/** Thrown where a value is needed that no frame has brought yet. */
export class ValueMissing extends Error {
  override readonly name = "ValueMissing";

  constructor(name: string) {
    super(`${capturedPlaceholder(name)} is needed, and no frame has brought it yet`);
  }
}

/** Fills a text that goes out as it is. @throws ValueMissing */
export function filledText(text: string, values: CapturedScalars): string {
  return fillText(text, (_, name) => textOfScalar(scalarOf(values, name)), GOING_OUT);
}

/**
 * Fills JSON. A string that is nothing but one placeholder becomes the value in its own type, as the upstream wrote it.
 * @throws ValueMissing
 */
export function filledJson(json: string, values: CapturedScalars): string {
  return filledStrings(json, values, (_, name) => textOfScalar(scalarOf(values, name)), GOING_OUT);
}

/** Fills an answer, which has placeholders of all kinds until it goes out. @throws ValueMissing */
export function filledAnswer(
  answer: string,
  form: AnswerForm,
  values: CapturedScalars,
  resolveOthers: Resolve,
): string {
  const resolve: Resolve = (kind, name) =>
    kind === "conn" ? textOfScalar(scalarOf(values, name)) : resolveOthers(kind, name);
  return form === "text" ? fillText(answer, resolve, ALL_AT_ONCE) : filledStrings(answer, values, resolve, ALL_AT_ONCE);
}

function filledStrings(json: string, values: CapturedScalars, resolve: Resolve, at: Moment): string {
  return json.replace(STRINGS, (found: string, colon?: string) => {
    const string = found.slice(0, found.lastIndexOf('"') + 1);
    const [only, ...others] = tokenize(string.slice(1, -1), at.grammar);
    if (only === undefined || (only.kind === "text" && others.length === 0)) return found;
    if (only.kind === "conn" && others.length === 0 && colon === undefined) return scalarOf(values, only.name);
    return JSON.stringify(fillText(JSON.parse(string), resolve, at)) + (colon ?? "");
  });
}

/** Fills a message of the configuration: a text, or a value that is sent as JSON. @throws ValueMissing */
export function filledMessage(message: unknown, values: CapturedScalars): string {
  return typeof message === "string" ? filledText(message, values) : filledJson(JSON.stringify(message), values);
}

function scalarOf(values: CapturedScalars, name: string): string {
  const json = values.get(name);
  if (json === undefined) throw new ValueMissing(name);
  return json;
}

/** The URL and the headers of an attempt. A parameter or a header whose value is not there is left out. */
export function filledHandshake<Handshake extends { readonly url: string; readonly headers: object }>(
  { url, headers }: Handshake,
  values: CapturedScalars,
): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  const [path = "", ...rest] = url.split("?");
  const parts = rest.length === 0 ? [] : rest.join("?").split("&");
  const isThere = (text: string) => tokenize(text, GOING_OUT.grammar).every((token) => !isMissing(token, values));
  const encoded = (part: string) =>
    fillText(part, (_, name) => encodeURIComponent(textOfScalar(scalarOf(values, name))), GOING_OUT);
  const query = parts.filter(isThere).map(encoded).join("&");
  const filled = Object.entries(headers).flatMap(([name, value]) =>
    isThere(value) ? [[name, filledText(value, values)]] : [],
  );
  return { url: query === "" ? path : `${path}?${query}`, headers: Object.fromEntries(filled) };
}

function isMissing(token: Token, values: CapturedScalars): boolean {
  return token.kind === "conn" && !values.has(token.name);
}
