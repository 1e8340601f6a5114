/** Frames without secrets, for recordings: JSON stays JSON, also inside of text, and bytes keep their length. */

import { isKeyLike, isNaming, isSecretName, maskSecrets, REDACTED } from "../secrets/secrets.ts";
import { QUOTE, skipSpace, stringEnd } from "./json-check.ts";
import { isJson, textOf } from "./json-message.ts";
import { isCloser, isOpener, stringAt, valueEnd } from "./json-text.ts";
import type { Body } from "./protocol.ts";

/** A shorter secret in a key is more likely the key's own name. */
const SECRET_KEY_MIN = 16;
const COLON = ":".charCodeAt(0);
const ASTERISK = "*".charCodeAt(0);

const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;
const LAST_CONTROL = 0x9f;

const HEADER_LINE = /^([!-9;-~]+)(:[ \t]*)[^\r\n]+/gm;
/** A member's name and colon. Its bounds keep the search linear. */
const MEMBER = /"((?:[^"\\]|\\[\s\S]){1,64})"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}/g;
/** Members that say how a login went. */
const OUTCOME = /^(?:status|state|success|result|reason)$/i;
/** The most texts of a frame that may look like JSON and be none. */
const TRIES_MAX = 1_000;

const encoder = new TextEncoder();

/**
 * Returns a copy of the frame in which the secrets are masked, and in JSON also the texts of members that have the name
 * of a secret, such as a token that the upstream has issued: those within it, too, but for what names the message.
 */
export function maskFrame(frame: Body, secrets: readonly string[]): Body {
  if (typeof frame === "string") return maskText(frame, secrets);
  const text = textOf(frame);
  return text === undefined ? maskBytes(frame, secrets) : encoder.encode(maskText(text, secrets));
}

export function maskText(text: string, secrets: readonly string[]): string {
  return maskWith(text, { secrets, tries: TRIES_MAX });
}

/** The secrets of a frame, and the bound on looking for JSON in it. */
interface Masking {
  readonly secrets: readonly string[];
  /** How many more texts may turn out to be no JSON: each costs as much as a thousand characters. */
  tries: number;
}

function maskWith(text: string, masking: Masking): string {
  return triedJson(text, masking) ? maskJson(text, masking) : maskSecrets(maskMixed(text, masking), masking.secrets);
}

/** True if a text is JSON, unless too many were not. */
function triedJson(text: string, masking: Masking): boolean {
  if (masking.tries === 0 || !isJson(text)) {
    masking.tries = Math.max(0, masking.tries - 1);
    return false;
  }
  return true;
}

/** Masks the values of headers that have the name of a secret, in lines such as `Authorization: Bearer …`. */
export function maskHeaderLines(text: string): string {
  return text.replace(HEADER_LINE, (line, name, colon) => (isSecretName(name) ? `${name}${colon}${REDACTED}` : line));
}

/** Masks the JSON in a text: all from its first bracket on or, if that is none, what each of its lines has. */
function maskMixed(given: string, masking: Masking): string {
  const whole = maskTail(given, masking);
  if (whole !== undefined) return whole;
  // Before the text is taken apart: a member may go on over several lines.
  const text = maskMembers(given);
  // By hand: a regular expression keeps a state for each character of a long line, and runs out of its stack.
  let masked = "";
  for (let at = 0; at < text.length; ) {
    let end = at;
    while (end < text.length && !isControl(text.charCodeAt(end))) end++;
    const line = text.slice(at, end);
    masked += maskTail(line, masking) ?? line;
    at = end;
    while (at < text.length && isControl(text.charCodeAt(at))) at++;
    masked += text.slice(end, at);
  }
  return masked;
}

/** True for line ends, and for the control characters with which dialects end messages. */
function isControl(code: number): boolean {
  return code < SPACE ? code !== TAB : code >= DELETE && code <= LAST_CONTROL;
}

/** Undefined if the text from its first bracket on is no JSON. */
function maskTail(text: string, masking: Masking): string | undefined {
  const start = text.search(/[[{]/);
  if (start < 0) return undefined;
  let end = text.length;
  while (end > start && isSeparator(text.charCodeAt(end - 1))) end--;
  if (!isCloser(text.charCodeAt(end - 1))) return undefined;
  const json = text.slice(start, end);
  return triedJson(json, masking) ? text.slice(0, start) + maskJson(json, masking) + text.slice(end) : undefined;
}

/** True for white space, and for the control characters with which dialects end messages. */
function isSeparator(code: number): boolean {
  return code <= SPACE;
}

/** Masks the members that have the name of a secret in a text that is not JSON as a whole, or is cut off. */
function maskMembers(text: string): string {
  let masked = "";
  /** The end of what is masked, and of the last such member. */
  let done = 0;
  let at = 0;
  for (const { 0: found, 1: name = "", index } of text.matchAll(MEMBER)) {
    const value = index + found.length;
    if (index < at || !isSecretName(name) || !holdsTexts(text.charCodeAt(value))) continue;
    at = value;
    let depth = 0;
    do {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        const end = stringEnd(text, at) ?? text.length;
        if (text.charCodeAt(skipSpace(text, end)) !== COLON) {
          masked += text.slice(done, at) + JSON.stringify(REDACTED);
          done = end;
        }
        at = end;
      } else {
        if (isOpener(code)) depth++;
        else if (isCloser(code)) depth--;
        at++;
      }
    } while (depth > 0 && at < text.length);
  }
  return masked + text.slice(done);
}

/** Masks the strings of a JSON text, however they are escaped, and numbers that are a secret. */
function maskJson(text: string, masking: Masking): string {
  const { secrets } = masking;
  const keySecrets = secrets.filter(({ length }) => length >= SECRET_KEY_MIN);
  let masked = "";
  let done = 0;
  /** The end of the outermost value whose key has the name of a secret: what is inside is not measured again. */
  let secretUntil = 0;
  /** The start of the value whose key names the message. */
  let naming = -1;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', done)) {
    const end = stringEnd(text, at) ?? text.length;
    const written = text.slice(at, end);
    const string = stringAt(text, { start: at, end });
    const colon = skipSpace(text, end);
    masked += maskNumbers(text.slice(done, at), secrets);
    if (text.charCodeAt(colon) === COLON) {
      const value = skipSpace(text, colon + 1);
      if (isNaming(string) || OUTCOME.test(string)) naming = value;
      if (at >= secretUntil && isSecretName(string) && holdsTexts(text.charCodeAt(value)))
        secretUntil = valueEnd(text, value);
      masked += remasked(written, string, maskSecrets(string, keySecrets));
    } else {
      const isNamed = at === naming && !isKeyLike(string);
      const isSecret = at < secretUntil && !isNamed && string !== "";
      masked += remasked(written, string, isSecret ? REDACTED : maskString(string, masking));
    }
    done = end;
  }
  return masked + maskNumbers(text.slice(done), secrets);
}

function holdsTexts(first: number): boolean {
  return first === QUOTE || isOpener(first);
}

/** Masks a string of JSON, which may have JSON of its own. */
function maskString(string: string, masking: Masking): string {
  const masked = maskSecrets(string, masking.secrets);
  return masked.includes('"') ? maskWith(masked, masking) : masked;
}

/** Leaves a string as it is written, if nothing in it is masked. */
function remasked(written: string, string: string, masked: string): string {
  return masked === string ? written : JSON.stringify(masked);
}

function maskNumbers(text: string, secrets: readonly string[]): string {
  return text.replace(/-?\d[\d.eE+-]*/g, (number) => (secrets.includes(number) ? JSON.stringify(REDACTED) : number));
}

function maskBytes(bytes: Uint8Array, secrets: readonly string[]): Uint8Array {
  const masked = new Uint8Array(bytes);
  for (const secret of secrets.map((each) => encoder.encode(each))) {
    for (let at = indexOf(masked, secret, 0); at !== -1; at = indexOf(masked, secret, at + secret.length)) {
      masked.fill(ASTERISK, at, at + secret.length);
    }
  }
  return masked;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const [first = 0] = wanted;
  for (let at = bytes.indexOf(first, from); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
