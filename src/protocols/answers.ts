/** Answers to the upstream's own requests, by rules of the configuration, which every preset takes. */

import { escapeDeferred, isDeferred, PartlyFilled, type Token, tokenize, unquoted } from "../secrets/placeholders.ts";
import { type Condition, compile, type FrameText, frameText, readsOf } from "./condition.ts";
import { insertMissing, replace } from "./json-edit.ts";
import { readFrame } from "./json-message.ts";
import { locate, type Pointer, parsePointer } from "./json-place.ts";
import { compilePattern } from "./lazy-pattern.ts";
import { type AnswerForm, type Body, type Decoded, InvalidMessage, type Protocol } from "./protocol.ts";
import { joinedReads, reading } from "./reads.ts";
import { ID, messageText, STRINGS } from "./subscription-request.ts";

export interface AnswerRule {
  readonly when: Condition;
  /** A string is sent as is, any other value as JSON. `$NAME` is the text of that group of the pattern `when.text`. */
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

/** Returns the answer to a request of the upstream, or undefined if the frame is none that a rule answers. */
type Answering = (frame: FrameText) => Extract<Decoded, { type: "answer" }> | undefined;

/**
 * Adds the rules to a protocol, before all that it does itself. Throws if a pointer is invalid, a condition is empty or
 * a pattern is wrong. Patterns need `preparePatterns`.
 */
export function withAnswers(protocol: Protocol, rules: readonly AnswerRule[] | undefined): Protocol {
  if (rules === undefined || rules.length === 0) return protocol;
  const answer = answering(protocol, rules);
  /** Ids that answers carry. Where callers' own ids are on the wire, callers must use others. */
  const reserved = new Set(rules.flatMap((rule) => (carriesOwnId(rule, protocol) ? [ownId(rule, protocol)] : [])));
  return {
    ...protocol,
    encode(message, id, route, connection) {
      const encoded = protocol.encode(message, id, route, connection);
      if (route === "request" && encoded.id !== undefined && reserved.has(encoded.id)) {
        const why = `the configuration uses the id ${encoded.id} in an answer: use another one`;
        throw new InvalidMessage("shape", why);
      }
      return encoded;
    },
    // An answer copies from all of the request; but a reply, which it is not, it only has to tell apart.
    decode: reading(
      joinedReads(protocol.decode.reads, ...rules.map(({ when }) => readsOf(when))),
      (frame: Body, connection?: number): Decoded => answer(frameText(frame)) ?? protocol.decode(frame, connection),
    ),
  };
}

function answering(protocol: Protocol, rules: readonly AnswerRule[]): Answering {
  const compiled = rules.map((rule) => ({
    test: compile(rule.when),
    fill: filling(rule),
    form: formToFill(rule),
    keep: rule.keep === true || rule.after !== undefined,
    deliveredWithinMs: rule.after && (rule.within ?? DELIVERED_WITHIN_MS),
    adopt: carriesOwnId(rule, protocol),
    copies: Object.entries(rule.copy ?? {}).map(([to, from]): [Pointer, Pointer] => [
      parsePointer(to),
      parsePointer(from),
    ]),
  }));
  return (request) => {
    for (const { test, fill, form, keep, deliveredWithinMs, adopt, copies } of compiled) {
      const text = test(request) ? fill(request) : undefined;
      if (text === undefined) continue;
      return {
        type: "answer",
        frame: copies.reduce((answer, [to, from]) => copied(request, from, answer, to, form), text),
        ...(form && { fill: form }),
        ...(adopt && { adopt: true }),
        ...(keep && { keep: protocol.accepts === "json" && request.root !== undefined ? "json" : "any" }),
        ...(deliveredWithinMs !== undefined && { deliveredWithinMs }),
      };
    }
    return undefined;
  };
}

// Groups of the pattern.

/** A name in an answer that may be that of a group. */
const NAMES = /\$([A-Za-z_]\w*)/g;

/** Returns the answer's text for a request; undefined if a group that the answer needs is cut off by the bound. */
function filling(rule: AnswerRule): (request: FrameText) => string | undefined {
  const template = messageText(rule.send);
  const groups = new Set(namesIn(template).filter((name) => groupsOf(rule).includes(name)));
  if (rule.when.text === undefined || groups.size === 0) return () => template;
  const pattern = compilePattern(rule.when.text);
  return ({ text = "" }) => {
    const values = pattern.groups(text);
    return values && filled(rule, (name) => (values.has(name) ? (values.get(name) ?? "") : undefined));
  };
}

/**
 * The answer with the values of groups, and with the placeholders that are filled when it goes out: what those bring is
 * no template. In JSON the values are texts, or within texts, and are escaped as such.
 */
function filled({ send }: Pick<AnswerRule, "send">, value: (name: string) => string | undefined): string {
  const isText = typeof send === "string";
  const inText = (source: string) =>
    source.replace(NAMES, (written, name: string) => {
      const found = value(name);
      if (found === undefined) return written;
      return isText ? found : JSON.stringify(found).slice(1, -1);
    });
  const answer = new PartlyFilled(formToFill({ send }) === undefined ? [] : undefined);
  for (const token of tokenize(messageText(send))) {
    if (isDeferred(token)) answer.placeholder(token.kind, token.source);
    else if (token.kind === "quoted") answer.placeholder(token.of, token.source);
    else if (token.kind === "escape" && token.before !== undefined) answer.literal("${");
    else answer.literal(inText(token.source));
  }
  return answer.end();
}

function groupsOf({ when }: Pick<AnswerRule, "when">): readonly string[] {
  return when.text === undefined ? [] : compilePattern(when.text).names;
}

function namesIn(template: string): readonly string[] {
  const texts = tokenize(template).filter(({ kind }) => kind === "text");
  return texts.flatMap(({ source }) => Array.from(source.matchAll(NAMES), ([, name = ""]) => name));
}

/** The names in an answer that look like groups and are none, beside groups of which there are some. */
export function unknownGroups(rule: Pick<AnswerRule, "when" | "send">): readonly string[] {
  const groups = groupsOf(rule);
  if (groups.length === 0) return [];
  return namesIn(messageText(rule.send)).filter((name) => !groups.includes(name) && `$${name}` !== ID);
}

/** The answer as it may go out, for checks: every group has the same value. */
export function sampleAnswer(rule: AnswerRule, value = "1"): string {
  const groups = groupsOf(rule);
  const sample = filled(rule, (name) => (groups.includes(name) ? value : undefined));
  return typeof rule.send === "string" ? unquoted(sample) : JSON.stringify(unquoted(JSON.parse(sample)));
}

// Ids.

/**
 * True if an answer carries an id that is not the upstream's. An id that changes with what comes from the request is
 * the upstream's; so is one that the condition demands at the same place.
 */
function carriesOwnId(rule: AnswerRule, protocol: Protocol): boolean {
  const one = adopted(probe(rule, "1"), protocol);
  return one !== undefined && one.own === adopted(probe(rule, "2"), protocol)?.own;
}

/** The id that every answer of the rule carries, where callers' own ids are on the wire. */
function ownId(rule: AnswerRule, protocol: Protocol): string | undefined {
  return adopted(sampleAnswer(rule), protocol)?.id;
}

function adopted(frame: string, protocol: Protocol) {
  return protocol.adopt?.(frame, 0);
}

/** The answer to a request that has `value` at every place from which the answer takes something. */
function probe(rule: AnswerRule, value: string): string {
  const places = [...Object.keys(rule.copy ?? {}), ...demandedPlaces(rule)];
  return places.reduce((text, place) => put(text, parsePointer(place), value), sampleAnswer(rule, value));
}

/** The places at which the answer has the value that the condition demands there. */
function demandedPlaces({ when: { match = {} }, send }: AnswerRule): readonly string[] {
  const text = messageText(unquoted(send));
  const json = readFrame(text);
  if ("why" in json) return [];
  return Object.keys(match).filter((pointer) => {
    const place = locate(json.text, json.root, parsePointer(pointer));
    return place.type === "found" && text.slice(place.value.start, place.value.end) === JSON.stringify(match[pointer]);
  });
}

// Copies.

function copied(
  { text: request, root }: FrameText,
  from: Pointer,
  answer: string,
  to: Pointer,
  form: AnswerForm | undefined,
): string {
  if (root === undefined) return answer;
  const source = locate(request, root, from);
  if (source.type !== "found") return answer;
  const value = request.slice(source.value.start, source.value.end);
  return put(answer, to, form === undefined ? value : escapeDeferred(unescaped(value)));
}

/** JSON whose strings have no needless escapes: with one, a placeholder of the upstream's would look like none. */
function unescaped(json: string): string {
  return json.replace(STRINGS, (found: string) => {
    const end = found.lastIndexOf('"') + 1;
    return JSON.stringify(JSON.parse(found.slice(0, end))) + found.slice(end);
  });
}

/** The form of an answer that is filled when it goes out; undefined if nothing is left to fill. */
function formToFill({ send }: Pick<AnswerRule, "send">): AnswerForm | undefined {
  const isLeft = (token: Token) =>
    isDeferred(token) || token.kind === "quoted" || (token.kind === "escape" && token.before !== undefined);
  if (!tokenize(messageText(send)).some(isLeft)) return undefined;
  return typeof send === "string" ? "text" : "json";
}

/** Puts a value into a JSON text; leaves the text as it is if another value is in the way. */
function put(text: string, to: Pointer, value: string): string {
  const place = locate(text, { start: 0, end: text.length }, to);
  if (place.type === "missing") return insertMissing(text, place, value);
  return place.type === "found" ? replace(text, place.value, value) : text;
}
