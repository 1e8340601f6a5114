/** Mutants of `src/core/messages/absence.ts`. */
export default {
  tests: ["test/core/messages/journal"],
  deno: true,
  mutants: [
    [
      "an outage leaves no gap",
      "if (this.#away === undefined) return undefined;\n    const",
      "return undefined;\n    const",
    ],
    [
      "a gap precedes the first connection",
      "if (this.#wasConnected) this.#away",
      "this.#wasConnected ||= true;\n    this.#away",
    ],
    [
      "a lasting outage is reported once",
      "const gap = this.end(at);\n    this.#away = { from: at, why };",
      "const gap = this.end(at);",
    ],
  ],
};
