/** The proofs of delivery: what a connection was handed, and how much of it pongs prove that the peer received. */
import type { Sent } from "../../errors.ts";
import { type SizedIterable, TransientSet } from "../util/transient.ts";
import type { Entry, SentEntry } from "./request-table.ts";

export class DeliveryProofs {
  /** The newest connection that was ready. */
  #connection: number | undefined;
  #handedOver = 0;
  /** How many frames are proven, by connection: one that was superseded still owes replies. */
  readonly #proven = new Map<number, number>();
  readonly #confirming = new TransientSet<SentEntry>();

  isNewest(connection: number): boolean {
    return connection === this.#connection;
  }

  /** Starts counting on a new connection. */
  begin(connection: number): void {
    this.#connection = connection;
    this.#handedOver = 0;
  }

  /** Forgets a lost connection, after `sent` was called for the last of its entries. */
  end(connection: number): void {
    this.#proven.delete(connection);
  }

  /** Counts one frame more. @returns its order on the newest connection, from 1 */
  next(): number {
    return ++this.#handedOver;
  }

  /** The peer has received the first `frames` of those that the connection was handed. */
  prove(connection: number, frames: number): void {
    this.#proven.set(connection, frames);
  }

  sent({ phase }: Pick<Entry, "phase">): Sent {
    if (phase.type === "held") return "no";
    if (phase.acknowledged) return "yes";
    return phase.order <= (this.#proven.get(phase.connection) ?? 0) ? "yes" : "maybe";
  }

  /** Confirmed sends that were handed to a socket and wait for the pong that proves them. */
  get confirming(): SizedIterable<SentEntry> {
    return this.#confirming;
  }

  confirm(entry: SentEntry): void {
    this.#confirming.add(entry);
  }

  forget(entry: SentEntry): void {
    this.#confirming.delete(entry);
  }
}
