/** Operations on bodies that may be text or bytes. */

import type { Body } from "./protocol.ts";

const encoder = new TextEncoder();

/** The most bytes that are made text at once: each is an argument of a call. */
const STEP_BYTES = 0x6000;

/** The bytes in base64. Steps of a multiple of three bytes can be joined. */
export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP_BYTES)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + STEP_BYTES)));
  return text;
}

/** The bytes of a text in base64; undefined for anything else. */
export function bytesFrom(base64: unknown): Uint8Array | undefined {
  if (typeof base64 !== "string") return undefined;
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Joins bodies into the bytes of all. */
export function concatenated(bodies: readonly Body[]): Uint8Array {
  const pieces = bodies.map((body) => (typeof body === "string" ? encoder.encode(body) : body));
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
