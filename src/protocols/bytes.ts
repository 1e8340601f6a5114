/** Operations on bodies that may be text or bytes. */

import type { Body } from "./protocol.ts";

const encoder = new TextEncoder();

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
