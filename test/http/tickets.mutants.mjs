/** Mutants of `src/http/tickets.ts`. */
export default {
  tests: ["test/http/tickets", "test/contract/tickets"],
  mutants: [
    ["a ticket may be used again", "this.#held.delete(id);\n    return held.path", "return held.path"],
    ["a ticket opens every stream", "return held.path === path && nowMs", "return nowMs"],
    ["a ticket never expires", "&& nowMs < held.expiresMs ? held.caller", "? held.caller"],
    ["a caller has any number of tickets", " || own >= TICKETS_OF_ONE_MAX", ""],
    ["the first characters are enough", "|| !timingSafeEqual(held.secret, given)", ""],
  ],
};
