/** Responses that are complete when they begin; large ones are written at the pace of their readers. */

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { HEAVY_BYTES } from "../core/outcome.ts";
import type { Body } from "../protocols/protocol.ts";
import type { Env } from "./env.ts";
import { hold } from "./held-bytes.ts";
import type { ResponseStream } from "./ports.ts";
import type { ResponseHeaders } from "./problem.ts";

/** The bytes that are handed over at a time: less than what a connection takes makes no progress visible. */
const PIECE_BYTES = 128 * 1024;
/** A reader that takes nothing for this long is cut. */
export const STUCK_MS = 10_000;

const encoder = new TextEncoder();

/**
 * Responds with a body that is known as a whole. On our own listener a large one is written piece by piece: it counts
 * in the budget until its last piece was taken, and whoever takes none for ten seconds is cut.
 */
export function wholeResponse(
  c: Context<Env>,
  body: Body,
  headers: ResponseHeaders,
  status: ContentfulStatusCode = 200,
): Response {
  const outgoing = body.length >= HEAVY_BYTES && c.env?.exclusive ? c.env.outgoing : undefined;
  // Not `c.body`: Hono would make `Headers` of them, which costs more than the rest of the response.
  if (!outgoing || c.req.method === "HEAD") {
    return new Response(body as string | Uint8Array<ArrayBuffer>, { status, headers });
  }
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const length = String(bytes.byteLength);
  outgoing.writeHead(status, { ...Object.fromEntries(c.res.headers), ...headers, "Content-Length": length });
  writeInPieces(outgoing, bytes, hold(c.get("record").budget, "answers", bytes));
  // A placeholder: the listener sees that the response is written already.
  return c.body(null, status);
}

/** @param onEnd called when the last byte was taken or the reader has left */
function writeInPieces(outgoing: ResponseStream, bytes: Uint8Array, onEnd: () => void): void {
  let at = 0;
  const stuck = setTimeout(() => {
    // A response that waits for its turn on the connection has no reader yet.
    if (outgoing.socket) outgoing.destroy();
    else stuck.refresh();
  }, STUCK_MS).unref();
  const write = () => {
    stuck.refresh();
    if (at >= bytes.byteLength) return;
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    at += piece.byteLength;
    outgoing.write(piece);
    if (at >= bytes.byteLength) outgoing.end();
  };
  outgoing.on("drain", write);
  outgoing.on("error", () => {});
  outgoing.on("close", () => {
    clearTimeout(stuck);
    at = bytes.byteLength;
    onEnd();
  });
  write();
}
