/** The aliases of requests: ids of the upstream's own, under which it goes on with a reply. */

import type { WireId } from "../../protocols/protocol.ts";

/** The most aliases of one request. More are not learned. */
const ALIASES_MAX = 4;

/** Kept until the reply has ended, also for requests that ended without it, so that its late frames are known. */
export class Aliases {
  readonly #byAlias = new Map<string, WireId>();
  readonly #byRequest = new Map<WireId, string[]>();

  /**
   * Learns an alias. One that a pending request has stays that request's.
   * @param isPending true for the id of a request in flight
   */
  learn(connection: number, wire: WireId, alias: string, isPending: (wire: WireId) => boolean): void {
    const key = keyOf(connection, alias);
    const known = this.#byAlias.get(key);
    if (known === wire || (known !== undefined && isPending(known))) return;
    const own = this.#byRequest.get(wire) ?? [];
    if (own.length >= ALIASES_MAX) return;
    if (known !== undefined) this.#release(known, key);
    this.#byAlias.set(key, wire);
    this.#byRequest.set(wire, [...own, key]);
  }

  find(connection: number, alias: string): WireId | undefined {
    return this.#byAlias.get(keyOf(connection, alias));
  }

  /** The alias of a request that it was given first. */
  of(wire: WireId): string | undefined {
    const [key] = this.#byRequest.get(wire) ?? [];
    return key?.slice(key.indexOf(" ") + 1);
  }

  forget(wire: WireId): void {
    for (const key of this.#byRequest.get(wire) ?? []) this.#byAlias.delete(key);
    this.#byRequest.delete(wire);
  }

  #release(wire: WireId, key: string): void {
    const left = this.#byRequest.get(wire)?.filter((each) => each !== key) ?? [];
    if (left.length > 0) this.#byRequest.set(wire, left);
    else this.#byRequest.delete(wire);
  }
}

function keyOf(connection: number, alias: string): string {
  return `${connection} ${alias}`;
}
