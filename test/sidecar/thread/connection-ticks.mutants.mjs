/** Mutants of `src/sidecar/thread/connection-ticks.ts`. */
export default {
  tests: ["test/contract/module-connections"],
  mutants: [
    ["no tick comes", "setTimeout(() => this.#onDue(connection), ms)", "setTimeout(() => {}, ms)"],
    [
      "a connection that is gone is ticked",
      "stop(connection: number): void {\n    clearTimeout(this.#timers.get(connection));",
      "stop(connection: number): void {",
    ],
  ],
};
