/** The states of a module that exports a function: what it has returned for each connection, and the frame there. */

import type { Handlers } from "./module-handlers.ts";
import type { ModuleThrew } from "./module-results.ts";
import type { Body, ConnectionStates, Decoded } from "./protocol.ts";

interface State {
  readonly handlers: Handlers;
  /** The frame that came last, and what was made of it. */
  last: { readonly frame: Body; readonly decoded: Decoded } | undefined;
}

export class ModuleStates implements ConnectionStates {
  readonly #make: (connection: number) => Handlers;
  /** Those that belong to no connection. */
  readonly #first: Handlers;
  readonly #threw: ModuleThrew;
  readonly #states = new Map<number, State>();

  /** @param make calls the module's function for a connection; it may throw */
  constructor(make: (connection: number) => Handlers, first: Handlers, threw: ModuleThrew) {
    this.#make = make;
    this.#first = first;
    this.#threw = threw;
  }

  begin(connection: number): string | undefined {
    try {
      this.#states.set(connection, { handlers: this.#make(connection), last: undefined });
      return undefined;
    } catch (error) {
      this.#threw("the protocol's function threw", error);
      return "the protocol's function threw an exception, which is in the log";
    }
  }

  take(connection: number, frame: Body): void {
    const state = this.#states.get(connection);
    if (state) state.last = { frame, decoded: state.handlers.decode(frame) };
  }

  /** What was made of the frame that the connection took last; any other frame is nobody's. */
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
