/** The state of an upstream as its thread last reported it. */

import type { UpstreamState } from "../contract.ts";

type StateListener = (state: UpstreamState) => void;

export class ReportedState {
  readonly #listeners = new Set<StateListener>();
  #state: UpstreamState = { phase: "idle", attempts: 0 };
  /** The time at which the current phase began. */
  #since = new Date();
  /** The time of the last report, in milliseconds of the monotonic clock. */
  #reportedAt = performance.now();

  /** The state as of now: the time until the next attempt has gone down since the report. */
  get current(): UpstreamState & { readonly since: Date } {
    const { retryInMs, ...state } = this.#state;
    if (retryInMs === undefined) return { ...state, since: this.#since };
    const left = Math.max(0, Math.round(retryInMs - (performance.now() - this.#reportedAt)));
    return { ...state, retryInMs: left, since: this.#since };
  }

  set(state: UpstreamState): void {
    if (state.phase !== this.#state.phase) this.#since = new Date();
    this.#state = state;
    this.#reportedAt = performance.now();
    for (const listener of this.#listeners) listener(state);
  }

  /** @returns a function that stops listening */
  onChange(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
