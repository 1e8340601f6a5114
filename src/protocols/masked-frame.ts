/** Frames without secrets, for recordings: JSON stays JSON, and bytes keep their length. */

import { isSecretName, maskSecrets, REDACTED } from "../secrets/secrets.ts";
import { QUOTE, skipSpace, stringEnd } from "./json-check.ts";
import { isJson, textOf } from "./json-message.ts";
import { stringAt, valueEnd } from "./json-text.ts";
import type { Body } from "./protocol.ts";

/** A shorter secret in a key is more likely the key's own name. */
const SECRET_KEY_MIN = 16;
const COLON = ":".charCodeAt(0);
const OPEN_BRACKET = "[".charCodeAt(0);
const ASTERISK = "*".charCodeAt(0);

const encoder = new TextEncoder();

/**
 * Returns a copy of the frame in which the secrets are masked, and in JSON also the texts of members that have the name
 * of a secret, such as a token that the upstream has issued.
 */
export function maskFrame(frame: Body, secrets: readonly string[]): Body {
  if (typeof frame === "string") return maskText(frame, secrets);
  const text = textOf(frame);
  return text === undefined ? maskBytes(frame, secrets) : encoder.encode(maskText(text, secrets));
}

export function maskText(text: string, secrets: readonly string[]): string {
  return isJson(text) ? maskJson(text, secrets) : maskSecrets(text, secrets);
}

/** Masks the strings of a JSON text, however they are escaped, and numbers that are a secret. */
function maskJson(text: string, secrets: readonly string[]): string {
  const keySecrets = secrets.filter(({ length }) => length >= SECRET_KEY_MIN);
  let masked = "";
  let done = 0;
  /** The end of the string or list that belongs to a key with the name of a secret. */
  let secretUntil = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', done)) {
    const end = stringEnd(text, at) ?? text.length;
    const written = text.slice(at, end);
    const string = stringAt(text, { start: at, end });
    const colon = skipSpace(text, end);
    masked += maskNumbers(text.slice(done, at), secrets);
    if (text.charCodeAt(colon) === COLON) {
      const value = skipSpace(text, colon + 1);
      const first = text.charCodeAt(value);
      const holdsTexts = first === QUOTE || first === OPEN_BRACKET;
      secretUntil = holdsTexts && isSecretName(string) ? valueEnd(text, value) : Math.min(secretUntil, at);
      masked += remasked(written, string, maskSecrets(string, keySecrets));
    } else {
      const isSecret = at < secretUntil && string !== "";
      masked += remasked(written, string, isSecret ? REDACTED : maskSecrets(string, secrets));
    }
    done = end;
  }
  return masked + maskNumbers(text.slice(done), secrets);
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
