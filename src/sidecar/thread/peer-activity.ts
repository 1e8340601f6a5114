/** The signs of life of a peer: its last frame, its round-trip time, and the deliveries that its next pong proves. */

import type { SentEntry, SentPhase } from "../../core/exchange/request-table.ts";

export class PeerActivity {
  #heardAt = 0;
  #frameAt: number | undefined;
  /** The last caller's message that a socket took, whose delivery a ping sent now would prove. */
  #lastWritten: Pick<SentPhase, "connection" | "order"> = { connection: 0, order: 0 };
  #pings = 0;
  #pingedAt = 0;
  #roundTripMs: number | undefined;

  /** The time of the current peer's last sign of life. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Milliseconds from the last ping to its pong; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Milliseconds since the last frame arrived; undefined before the first. */
  frameAgeMs(now: number): number | undefined {
    return this.#frameAt === undefined ? undefined : Math.round(now - this.#frameAt);
  }

  /** The payload of the next ping over this connection, which its pong repeats and {@link ponged} reads. */
  proof(connection: number): string {
    const { connection: writtenTo, order } = this.#lastWritten;
    return `${this.#pings + 1}.${writtenTo === connection ? order : 0}`;
  }

  heard(now: number): void {
    this.#heardAt = now;
  }

  frame(now: number): void {
    this.#frameAt = now;
  }

  wrote({ phase }: SentEntry): void {
    this.#lastWritten = phase;
  }

  pinged(now: number): void {
    this.#pings++;
    this.#pingedAt = now;
  }

  /** @returns the number of messages whose delivery the pong proves: the first ones of its connection */
  ponged(proof: string, now: number): number {
    this.#roundTripMs = now - this.#pingedAt;
    return provenBy(proof);
  }
}

/** @returns the number of messages whose delivery a pong with this payload proves: the first ones of its connection */
export function provenBy(proof: string): number {
  return Number(proof.split(".")[1]);
}
