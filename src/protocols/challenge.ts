/** Challenge–response logins, which prove that we know a secret without sending it. */

import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { base64Of } from "./bytes.ts";
import { insertMissing } from "./json-edit.ts";
import { isJson, readFrame } from "./json-message.ts";
import { locate, parsePointer } from "./json-place.ts";
import { kindOf, stringAt } from "./json-text.ts";
import { readOperations } from "./nats-frame.ts";
import { publicKeyText, readCredentials } from "./nkey.ts";
import type { Body } from "./protocol.ts";

/** A login whose response takes a place in our message, by the frame received before it. */
export type Challenge = PasswordChallenge | NonceChallenge;

/** The challenge of obs-websocket. */
interface PasswordChallenge {
  /** JSON pointer of the challenge and of the response. */
  readonly at: string;
  readonly password: string;
}

/** The nonce of a NATS server, which is signed. */
interface NonceChallenge {
  /** JSON pointer of the object in our message that takes the login. */
  readonly at: string;
  /** The text of a credentials file, or the seed of a user's nkey. */
  readonly credentials: string;
}

/** Thrown for credentials that cannot respond. The message has none of them. */
export class Unanswerable extends Error {}

/**
 * Adds the response to the challenge in `frame` to `message`, the text of a JSON object. Returns `message` unchanged if
 * `frame` has no challenge.
 *
 * @throws Unanswerable
 */
export function withResponse(message: string, challenge: Challenge, frame: Body): string {
  return "credentials" in challenge ? withSignature(message, challenge, frame) : withHash(message, challenge, frame);
}

/** The challenge with its secret as a function makes it of that in the settings. */
export function withSecret(challenge: Challenge, fill: (secret: string) => string): Challenge {
  return "credentials" in challenge
    ? { ...challenge, credentials: fill(challenge.credentials) }
    : { ...challenge, password: fill(challenge.password) };
}

function withHash(message: string, { at, password }: PasswordChallenge, frame: Body): string {
  const salt = textAt(frame, `${at}/salt`);
  const challenge = textAt(frame, `${at}/challenge`);
  if (salt === undefined || challenge === undefined) return message;
  return inserted(message, at, responseTo(salt, challenge, password));
}

function inserted(message: string, at: string, value: string): string {
  const place = locate(message, { start: 0, end: message.length }, parsePointer(at));
  return place.type === "missing" ? insertMissing(message, place, JSON.stringify(value)) : message;
}

/**
 * As obs-websocket 5 computes it: https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md.
 */
function responseTo(salt: string, challenge: string, password: string): string {
  return sha256(sha256(password + salt) + challenge);
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("base64");
}

function textAt(frame: Body, pointer: string): string | undefined {
  const json = readFrame(frame);
  if ("why" in json) return undefined;
  const place = locate(json.text, json.root, parsePointer(pointer));
  return place.type === "found" && kindOf(json.text, place.value) === "string"
    ? stringAt(json.text, place.value)
    : undefined;
}

/** A private key of Ed25519 in PKCS #8, up to its 32 bytes. */
const PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PUBLIC_BYTES = 32;

const encoder = new TextEncoder();

/** A server that has no nonce knows no nkeys, and then says itself what it wants. */
function withSignature(message: string, { at, credentials }: NonceChallenge, frame: Body): string {
  const nonce = nonceIn(frame);
  if (nonce === undefined) return message;
  const read = readCredentials(credentials);
  if (read === undefined)
    throw new Unanswerable("the credentials are neither a credentials file of NATS nor the seed of a user's nkey");
  const der = base64Of(Uint8Array.of(...PKCS8, ...read.seed));
  const key = createPrivateKey(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`);
  const shown = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-PUBLIC_BYTES);
  const login = {
    nkey: publicKeyText(shown),
    ...(read.jwt !== undefined && { jwt: read.jwt }),
    sig: sign(null, encoder.encode(nonce), key).toString("base64url"),
  };
  return Object.entries(login).reduce((text, [name, value]) => inserted(text, `${at}/${name}`, value), message);
}

function nonceIn(frame: Body): string | undefined {
  const operations = readOperations(frame);
  const [first] = "why" in operations ? [] : operations;
  if (first?.type !== "info" || !isJson(first.text)) return undefined;
  const { nonce } = (JSON.parse(first.text) ?? {}) as { readonly nonce?: unknown };
  return typeof nonce === "string" ? nonce : undefined;
}
