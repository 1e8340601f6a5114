import type { Sent } from "../../errors.ts";
import type { Entry } from "./request-table.ts";

/**
 * What is known of the messages that went out: how many the newest connection was handed, how many of each connection's a
 * pong has proven to be with the peer, and who waits for that proof.
 */
export class Delivery {
  /** The newest connection that was ready; 0 before the first. */
  #epoch = 0;
  #handedOver = 0;
  /** By connection: one that was left for its successor still has what it owes. */
  readonly #proven = new Map<number, number>();
  readonly #confirming = new Set<Entry>();

  isNewest(epoch: number): boolean {
    return epoch === this.#epoch;
  }

  /** There is a new connection. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#handedOver = 0;
  }

  /** A connection is gone, and nobody asks any more what went out on it. */
  end(epoch: number): void {
    this.#proven.delete(epoch);
  }

  /** One more is handed over. @returns its place among all on its connection, from 1 */
  next(): number {
    return ++this.#handedOver;
  }

  /** The peer has the first `messages` of what the connection was handed. */
  prove(epoch: number, messages: number): void {
    this.#proven.set(epoch, messages);
  }

  sent(entry: Pick<Entry, "epoch" | "order" | "acknowledged">): Sent {
    if (entry.epoch === 0) return "no";
    if (entry.acknowledged) return "yes";
    return entry.order <= (this.#proven.get(entry.epoch) ?? 0) ? "yes" : "maybe";
  }

  /** Messages on the wire for which somebody waits until a pong proves them. */
  get confirming(): ReadonlySet<Entry> {
    return this.#confirming;
  }

  confirm(entry: Entry): void {
    this.#confirming.add(entry);
  }

  forget(entry: Entry): void {
    this.#confirming.delete(entry);
  }
}
