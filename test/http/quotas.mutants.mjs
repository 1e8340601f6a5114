/** Mutants of `src/http/quotas.ts`. */
export default {
  tests: ["test/http/quotas"],
  mutants: [
    ["instances widen the share of the common connection", "return instance ? owned : common;", "return owned;"],
    ["instances take from the common connection", "return instance ? owned : common;", "return common;"],
    [
      "an instance that is gone holds its subscriptions",
      "for (const caller of creators.callers.values()) this.#giveBack(creators.upstream, caller);",
      "",
    ],
  ],
};
