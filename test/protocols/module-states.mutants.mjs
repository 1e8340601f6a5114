/** Mutants of `src/protocols/module-states.ts`. */
export default {
  tests: ["test/protocols/module-states"],
  mutants: [
    ["a frame is decoded each time", "last?.frame === frame ? last.decoded", "last?.frame === null ? last.decoded"],
    ["all connections share a state", "this.#states.get(connection)?.handlers", "this.#states.get(1)?.handlers"],
    ["the state outlives its connection", "this.#states.delete(connection);", ""],
    ["ticks come without a pause", "Math.max(TICK_MIN_MS, Math.ceil(ms))", "Math.ceil(ms)"],
    ["the end is not told", "state?.handlers.end?.();", ""],
  ],
};
