/** The connections of a recording, played to a protocol that keeps state for them, in the recording's time. */

import { textOf } from "../protocols/json-message.ts";
import type { Body, Decoded, Protocol } from "../protocols/protocol.ts";
import { excerptOf } from "../secrets/secrets.ts";

/** The most ticks between two entries: a recording of hours may hold millions of them. */
const TICKS_MAX = 1_000;

/** The deeds of a protocol when no frame came, in words. */
interface Tick {
  readonly head: string;
  readonly results: readonly string[];
}

export class PlayedConnections {
  readonly #protocol: Pick<Protocol, "decode" | "states">;
  readonly #open = new Set<number>();
  /** When each connection is to be ticked, in milliseconds of the recording. */
  readonly #due = new Map<number, number>();
  #now = 0;

  constructor(protocol: Pick<Protocol, "decode" | "states">) {
    this.#protocol = protocol;
    protocol.states?.onTickAsked((connection, ms) => this.#due.set(connection, this.#now + ms));
  }

  /** @returns what the protocol does at the beginning; undefined if the connection has begun, or has no state */
  begin(connection: number, at: number): readonly string[] | undefined {
    const { states } = this.#protocol;
    if (!states || this.#open.has(connection)) return undefined;
    this.#now = at;
    this.#open.add(connection);
    const begun = states.begin(connection);
    return typeof begun === "string" ? [] : begun.map(sent);
  }

  received(connection: number, frame: Body): Decoded {
    this.#protocol.states?.take(connection, frame);
    return this.#protocol.decode(frame, connection);
  }

  /** The ticks that are due by a time, in their order. */
  *ticksUntil(at: number): Generator<Tick> {
    for (let ticks = 0; ticks < TICKS_MAX; ticks++) {
      const [next] = [...this.#due].sort(([, one], [, other]) => one - other);
      if (!next || next[1] > at) break;
      const [connection, due] = next;
      this.#due.delete(connection);
      this.#now = due;
      const frames = this.#protocol.states?.tick(connection) ?? [];
      yield { head: `tick of connection ${connection} at ${due} ms`, results: frames.map(sent) };
    }
    this.#now = at;
  }

  /** @returns false if the connection has no state */
  end(connection: number): boolean {
    this.#due.delete(connection);
    if (!this.#open.delete(connection)) return false;
    this.#protocol.states?.end(connection);
    return true;
  }

  /** Ends those that the recording leaves open, one by one. */
  *endAll(): Generator<number> {
    for (const connection of this.#open) if (this.end(connection)) yield connection;
  }
}

function sent(frame: Body): string {
  return `sends: ${shown(frame)}`;
}

/** The most bytes of a frame that are shown. */
const SHOWN_BYTES = 32;

/** A text, cut; of bytes that are none, the first ones. */
export function shown(body: Body): string {
  const text = textOf(body);
  if (text !== undefined && (typeof body === "string" || !/\p{Cc}/u.test(text))) return excerptOf(text, []);
  const first = [...(body as Uint8Array).subarray(0, SHOWN_BYTES)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `(${body.length} bytes: ${first.join(" ")}${body.length > SHOWN_BYTES ? " …" : ""})`;
}
