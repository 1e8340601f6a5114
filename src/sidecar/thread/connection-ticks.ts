/** The timers of the ticks that a protocol asks for: at most one for each connection, until the connection closes. */

export class ConnectionTicks {
  readonly #onDue: (connection: number) => void;
  readonly #timers = new Map<number, NodeJS.Timeout | undefined>();

  constructor(onDue: (connection: number) => void) {
    this.#onDue = onDue;
  }

  begin(connection: number): void {
    this.#timers.set(connection, undefined);
  }

  /** Replaces the time that was set before. No effect before `begin` and after `stop`. */
  set(connection: number, ms: number): void {
    if (!this.#timers.has(connection)) return;
    clearTimeout(this.#timers.get(connection));
    this.#timers.set(
      connection,
      setTimeout(() => this.#onDue(connection), ms),
    );
  }

  stop(connection: number): void {
    clearTimeout(this.#timers.get(connection));
    this.#timers.delete(connection);
  }
}
