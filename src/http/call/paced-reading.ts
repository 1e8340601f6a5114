/** Turns of reading bodies, so that many large ones that arrive at once do not keep everything else waiting. */

import type { IncomingBody } from "../ports.ts";

/** The bytes that are read before everything else on the thread has its turn. */
const TURN_BYTES = 256 * 1024;
/** The most that a connection brings at once: both runtimes read this much. */
const READ_BYTES = 64 * 1024;
/** The approximate cost of a chunk besides its bytes. */
const CHUNK_BYTES = 256;

/** Bodies that are read on in a later turn, the first of them first. */
const waiting: Pick<IncomingBody, "pause" | "resume">[] = [];
let inTurn = 0;
let isScheduled = false;

/** Counts a chunk of a body that is not complete yet, and pauses the body if enough was read in this turn. */
export function pace(incoming: (typeof waiting)[number], bytes: number): void {
  inTurn += bytes + CHUNK_BYTES;
  if (inTurn >= TURN_BYTES) {
    incoming.pause();
    waiting.push(incoming);
  }
  if (!isScheduled) schedule();
}

function schedule(): void {
  isScheduled = true;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  isScheduled = false;
  inTurn = 0;
  for (const incoming of waiting.splice(0, TURN_BYTES / READ_BYTES)) incoming.resume();
  if (waiting.length > 0) schedule();
}
