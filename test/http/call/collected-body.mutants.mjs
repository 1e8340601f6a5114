/** Mutants of `src/http/call/collected-body.ts`. */
export default {
  tests: ["test/http/call/collected-body"],
  deno: true,
  mutants: [
    ["a body is not given back", 'this.#budget.give("bodies", this.#taken);', ""],
    ["the bytes so far are lost when it grows", "piece.set(this.#piece.subarray(0, this.#size));", ""],
    ["there is always room", 'if (!this.#budget.hasRoomFor("bodies", bytes, size))', "if (bytes < 0)"],
  ],
};
