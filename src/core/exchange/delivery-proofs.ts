import type { Sent } from "../../errors.ts";
import type { Entry, SentEntry } from "./request-table.ts";

/**
 * What is known of the messages that went out: how many the newest connection was handed, how many of each connection's a
 * pong has proven to be with the peer, and who waits for that proof.
 */
export class DeliveryProofs {
  /** The newest connection that was ready. */
  #connection: number | undefined;
  #handedOver = 0;
  /** By connection: one that was left for its successor still has what it owes. */
  readonly #proven = new Map<number, number>();
  readonly #confirming = new Set<SentEntry>();

  isNewest(connection: number): boolean {
    return connection === this.#connection;
  }

  /** There is a new connection. */
  begin(connection: number): void {
    this.#connection = connection;
    this.#handedOver = 0;
  }

  /** A connection is gone, and nobody asks any more what went out on it. */
  end(connection: number): void {
    this.#proven.delete(connection);
  }

  /** One more is handed over. @returns its place among all on its connection, from 1 */
  next(): number {
    return ++this.#handedOver;
  }

  /** The peer has the first `messages` of what the connection was handed. */
  prove(connection: number, messages: number): void {
    this.#proven.set(connection, messages);
  }

  sent({ phase }: Pick<Entry, "phase">): Sent {
    if (phase.type === "held") return "no";
    if (phase.acknowledged) return "yes";
    return phase.order <= (this.#proven.get(phase.connection) ?? 0) ? "yes" : "maybe";
  }

  /** Messages on the wire for which somebody waits until a pong proves them. */
  get confirming(): ReadonlySet<SentEntry> {
    return this.#confirming;
  }

  confirm(entry: SentEntry): void {
    this.#confirming.add(entry);
  }

  forget(entry: SentEntry): void {
    this.#confirming.delete(entry);
  }
}
