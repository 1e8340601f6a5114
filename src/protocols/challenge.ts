/** Logins that are computed from what the upstream says first, so that the password itself never travels. */

import { createHash } from "node:crypto";
import { insertMissing, locate, parsePointer } from "./json-edit.ts";
import { readFrame } from "./json-message.ts";
import { kindOf, stringAt } from "./json-text.ts";
import type { Body } from "./protocol.ts";

/** What is sent has the answer where the frame before it has the challenge; neither, where there is none. */
export interface Challenge {
  /** JSON pointer. */
  readonly at: string;
  readonly password: string;
}

/** `message`, a JSON object's text, with the answer to the challenge that `frame` brings. */
export function withAnswer(message: string, { at, password }: Challenge, frame: Body): string {
  const salt = textAt(frame, `${at}/salt`);
  const challenge = textAt(frame, `${at}/challenge`);
  if (salt === undefined || challenge === undefined) return message;
  const place = locate(message, { start: 0, end: message.length }, parsePointer(at));
  if (place.type !== "missing") return message;
  return insertMissing(message, place, JSON.stringify(answerTo(salt, challenge, password)));
}

/** That of obs-websocket 5: https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md. */
function answerTo(salt: string, challenge: string, password: string): string {
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
