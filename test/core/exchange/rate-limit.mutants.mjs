/** Mutants of `src/core/exchange/rate-limit.ts`. */
export default {
  tests: ["test/core/exchange/rate-limit"],
  deno: true,
  mutants: [
    ["the jitter is not allowed for", "this.#per = per + jitter;", "this.#per = per;"],
    ["a message goes out one millisecond too soon", "before + this.#per)", "before + this.#per - 1)"],
    ["waiting for a later round ends too soon", "this.#per * Math.floor", "0 * Math.floor"],
    ["only the first message is remembered", "this.#next = (this.#next + 1) % this.#sent.length;", ""],
  ],
};
