/** The states of a module that exports a function: what it has returned for each connection, and the frame there. */

import type { Handlers } from "./module-handlers.ts";
import type { ModuleThrew } from "./module-results.ts";
import type { ModuleConnection } from "./module-types.ts";
import type { Body, ConnectionStates, Decoded } from "./protocol.ts";

/** The bounds of the time until a tick, in milliseconds: a module may want one at once, again and again. */
const TICK_MIN_MS = 10;
const TICK_MAX_MS = 2 ** 31 - 1;

interface State {
  readonly handlers: Handlers;
  /** The frame that came last, and what was made of it. */
  last: { readonly frame: Body; readonly decoded: Decoded } | undefined;
}

export class ModuleStates implements ConnectionStates {
  readonly #make: (connection: ModuleConnection) => Handlers;
  /** Those that belong to no connection. */
  readonly #first: Handlers;
  readonly #threw: ModuleThrew;
  readonly #states = new Map<number, State>();
  #onTickAsked: (connection: number, ms: number) => void = () => {};

  /** @param make calls the module's function for a connection; it may throw */
  constructor(make: (connection: ModuleConnection) => Handlers, first: Handlers, threw: ModuleThrew) {
    this.#make = make;
    this.#first = first;
    this.#threw = threw;
  }

  begin(connection: number): readonly Body[] | string {
    const tickAfter = (ms: number) => this.#onTickAsked(connection, tickDelay(ms));
    try {
      this.#states.set(connection, { handlers: this.#make({ number: connection, tickAfter }), last: undefined });
    } catch (error) {
      this.#threw("the protocol's function threw", error);
      return "the protocol's function threw an exception, which is in the log";
    }
    try {
      return this.of(connection).opened?.() ?? [];
    } catch (error) {
      this.#threw("the protocol's opened threw", error);
      return "the protocol's opened threw an exception, which is in the log";
    }
  }

  onTickAsked(listener: (connection: number, ms: number) => void): void {
    this.#onTickAsked = listener;
  }

  tick(connection: number): readonly Body[] {
    return this.of(connection).tick?.() ?? [];
  }

  take(connection: number, frame: Body): void {
    const state = this.#states.get(connection);
    if (state) state.last = { frame, decoded: state.handlers.decode(frame) };
  }

  /** The result of the frame that the connection took last; any other frame is nobody's. */
  decoded(frame: Body, connection: number | undefined): Decoded {
    const last = connection === undefined ? undefined : this.#states.get(connection)?.last;
    return last?.frame === frame ? last.decoded : this.#first.decode(frame);
  }

  of(connection: number | undefined): Handlers {
    return (connection === undefined ? undefined : this.#states.get(connection)?.handlers) ?? this.#first;
  }

  end(connection: number): void {
    const state = this.#states.get(connection);
    this.#states.delete(connection);
    state?.handlers.end?.();
  }
}

function tickDelay(ms: unknown): number {
  if (typeof ms !== "number" || !(ms >= 0)) throw new RangeError("tickAfter needs a number of milliseconds");
  return Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, Math.ceil(ms)));
}
