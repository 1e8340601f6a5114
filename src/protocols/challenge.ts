/** Challenge–response logins, which prove that we know a password without sending it. */

import { createHash } from "node:crypto";
import { insertMissing } from "./json-edit.ts";
import { readFrame } from "./json-message.ts";
import { locate, parsePointer } from "./json-place.ts";
import { kindOf, stringAt } from "./json-text.ts";
import type { Body } from "./protocol.ts";

/** A login whose response takes the place, in our message, that the challenge has in the frame received before it. */
export interface Challenge {
  /** JSON pointer of the challenge and of the response. */
  readonly at: string;
  readonly password: string;
}

/**
 * Adds the response to the challenge in `frame` to `message`, the text of a JSON object. Returns `message` unchanged if
 * `frame` has no challenge.
 */
export function withResponse(message: string, { at, password }: Challenge, frame: Body): string {
  const salt = textAt(frame, `${at}/salt`);
  const challenge = textAt(frame, `${at}/challenge`);
  if (salt === undefined || challenge === undefined) return message;
  const place = locate(message, { start: 0, end: message.length }, parsePointer(at));
  if (place.type !== "missing") return message;
  return insertMissing(message, place, JSON.stringify(responseTo(salt, challenge, password)));
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
