import type { WireId } from "../protocols/protocol.ts";
import type { Entry } from "./pending.ts";

/** What is needed to make a reply of a frame that comes too late. The message itself is not kept. */
export type LateEntry = Pick<
  Entry,
  "seq" | "wire" | "epoch" | "order" | "acknowledged" | "own" | "arrivedAt" | "writtenAt"
>;

/** More are not remembered: the oldest are forgotten first. As many as there are ids of requests that ended early. */
const LATE_MAX = 10_000;
/** Nobody needs an id of more characters; ten thousand of them must not fill the memory. */
const OWN_MAX_CHARACTERS = 1_024;

/** Requests that timed out after they were sent: their reply may still come, and is wanted. */
export class Late {
  readonly #entries = new Map<WireId, LateEntry>();

  keep({ seq, wire, epoch, order, acknowledged, own, arrivedAt, writtenAt }: Entry): void {
    if (typeof own === "string" && own.length > OWN_MAX_CHARACTERS) return;
    this.#entries.set(wire, { seq, wire, epoch, order, acknowledged, own, arrivedAt, writtenAt });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > LATE_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Takes out the one that a frame on this connection answers. */
  take(epoch: number, wire: WireId): LateEntry | undefined {
    const entry = this.#entries.get(wire);
    if (entry?.epoch !== epoch) return undefined;
    this.#entries.delete(wire);
    return entry;
  }

  /** Takes out all that were sent on this connection; where requests go one at a time, there is one at most. */
  takeAll(epoch: number): LateEntry[] {
    const entries = [...this.#entries.values()].filter((entry) => entry.epoch === epoch);
    for (const { wire } of entries) this.#entries.delete(wire);
    return entries;
  }
}
