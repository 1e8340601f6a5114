/** Frames of STOMP in recordings: masked by their headers and bodies, and still frames. */

import { isSecretName, REDACTED } from "../secrets/secrets.ts";
import { textOf } from "./json-message.ts";
import { maskFrame, maskText } from "./masked-frame.ts";
import type { Body } from "./protocol.ts";
import { readFrames, type StompFrame, writeFrame } from "./stomp-frame.ts";

const LENGTH = "content-length";

/** Headers of a login that are no secrets. */
const OPEN_OF_LOGIN = new Set(["accept-version", "host", "heart-beat", LENGTH]);

const encoder = new TextEncoder();

/** A copy of a WebSocket frame without secrets. Line ends between its STOMP frames, if any is masked, are left out. */
export function maskStomp(frame: Body, secrets: readonly string[]): Body {
  const text = textOf(frame);
  const frames = text === undefined ? { why: "bytes" } : readFrames(text);
  if ("why" in frames) return maskFrame(frame, secrets);
  const written = frames.map(writeFrame).join("");
  const masked = frames.map((each) => writeFrame(maskParts(each, secrets))).join("");
  if (masked === written) return frame;
  return typeof frame === "string" ? masked : encoder.encode(masked);
}

function maskParts({ command, headers, body }: StompFrame, secrets: readonly string[]): StompFrame {
  const isLogin = command === "CONNECT" || command === "STOMP";
  const isSecret = (name: string) => name === "login" || isSecretName(name) || (isLogin && !OPEN_OF_LOGIN.has(name));
  const masked = new Map(
    Array.from(headers, ([name, value]) => [
      name,
      isSecret(name) && value !== "" ? REDACTED : maskText(value, secrets),
    ]),
  );
  const hidden = maskText(body, secrets);
  if (hidden !== body && headers.has(LENGTH)) masked.set(LENGTH, lengthOf(command, hidden));
  return { command, headers: masked, body: hidden };
}

/** The length of a masked body. That of a client may be any when it is played back, as its body may. */
function lengthOf(command: string, body: string): string {
  return command === "MESSAGE" || command === "ERROR" || body.includes("\0")
    ? String(encoder.encode(body).length)
    : REDACTED;
}
