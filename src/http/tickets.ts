/** Tickets that stand for a token where no header can be set: short-lived, each for one request of one route. */

import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Caller } from "./callers.ts";

/** The time from the issue of a ticket to its use, in milliseconds. */
export const TICKET_MS = 30_000;
/** The most tickets that are kept: of all callers, and of one. */
const TICKETS_MAX = 4_096;
const TICKETS_OF_ONE_MAX = 256;
const BYTES = 32;
/** The first characters find the ticket, and so tell nothing when the whole is compared. */
const ID_CHARACTERS = 8;

interface Held {
  readonly secret: Buffer;
  readonly path: string;
  readonly caller: Caller;
  readonly expiresMs: number;
}

export class Tickets {
  /** In the order in which they expire. */
  readonly #held = new Map<string, Held>();

  /** @returns undefined if there are too many already */
  issue(path: string, caller: Caller, nowMs: number): string | undefined {
    this.#forgetExpired(nowMs);
    let own = 0;
    for (const held of this.#held.values()) if (held.caller.share === caller.share) own++;
    if (this.#held.size >= TICKETS_MAX || own >= TICKETS_OF_ONE_MAX) return undefined;
    const secret = randomBytes(BYTES);
    const ticket = secret.toString("base64url");
    this.#held.set(ticket.slice(0, ID_CHARACTERS), { secret, path, caller, expiresMs: nowMs + TICKET_MS });
    return ticket;
  }

  /** Uses a ticket up, whatever the path. @returns its caller, if it was issued for this path and has not expired */
  redeem(ticket: string, path: string, nowMs: number): Caller | undefined {
    const id = ticket.slice(0, ID_CHARACTERS);
    const held = this.#held.get(id);
    const given = Buffer.from(ticket, "base64url");
    if (!held || given.length !== BYTES || !timingSafeEqual(held.secret, given)) return undefined;
    this.#held.delete(id);
    return held.path === path && nowMs < held.expiresMs ? held.caller : undefined;
  }

  #forgetExpired(nowMs: number): void {
    for (const [id, { expiresMs }] of this.#held) {
      if (nowMs < expiresMs) return;
      this.#held.delete(id);
    }
  }
}
