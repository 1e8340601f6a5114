import type { SentEntry, SentPhase } from "../../core/exchange/request-table.ts";

/** What an upstream has shown of itself: when it last spoke, how fast it answers a ping, and what that will prove. */
export class PeerActivity {
  #heardAt = 0;
  #frameAt: number | undefined;
  /** The last message of a caller that a socket took: what a ping that is sent now would prove. */
  #lastWritten: Pick<SentPhase, "connection" | "order"> = { connection: 0, order: 0 };
  #pings = 0;
  #pingedAt = 0;
  #roundTripMs: number | undefined;

  /** When the peer of the current connection last said something of its own. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Milliseconds from the last ping to its pong; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Milliseconds since the last frame came in; undefined before the first. */
  frameAgeMs(now: number): number | undefined {
    return this.#frameAt === undefined ? undefined : Math.round(now - this.#frameAt);
  }

  /** The proof that the next ping over this connection asks for. Its pong has it, and {@link ponged} reads it. */
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

  /** @returns how many messages of its connection the pong proves */
  ponged(proof: string, now: number): number {
    this.#roundTripMs = now - this.#pingedAt;
    return provenBy(proof);
  }
}

/** How many messages of its connection the pong with this proof shows to have arrived. */
export function provenBy(proof: string): number {
  return Number(proof.split(".")[1]);
}
