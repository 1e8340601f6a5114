/** The state of an upstream as its thread last reported it. */

import type { KnownState, UpstreamState } from "../reports.ts";

type StateListener = (state: UpstreamState) => void;

export class ReportedState {
  readonly #listeners = new Set<StateListener>();
  #state: UpstreamState = { phase: "idle", attempts: 0 };
  /** The time at which the current phase began. */
  #since = new Date();
  #readyUntil: Date | undefined;
  /** The time of the last report, in milliseconds of the monotonic clock. */
  #reportedAt = performance.now();

  /** The state as of now: the time until the next attempt has gone down since the report. */
  get current(): KnownState {
    const { retryInMs, ...state } = this.#state;
    const known = { ...state, since: this.#since, readyUntil: this.#readyUntil };
    if (retryInMs === undefined) return known;
    const left = Math.max(0, Math.round(retryInMs - (performance.now() - this.#reportedAt)));
    return { ...known, retryInMs: left };
  }

  set(state: UpstreamState): void {
    if (state.phase !== this.#state.phase) this.#enter(state.phase);
    this.#state = state;
    this.#reportedAt = performance.now();
    for (const listener of this.#listeners) listener(state);
  }

  #enter(phase: UpstreamState["phase"]): void {
    const now = new Date();
    if (phase === "ready") this.#readyUntil = undefined;
    else if (this.#state.phase === "ready") this.#readyUntil = now;
    this.#since = now;
  }

  /** @returns a function that stops listening */
  onChange(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
