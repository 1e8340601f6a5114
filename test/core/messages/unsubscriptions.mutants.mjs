/** Mutants of `src/core/messages/unsubscriptions.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  deno: true,
  mutants: [
    ["removing one subscription ends another", "|| this.#outlet.isShared(message)", ""],
    [
      "an unsubscribe that found no room is forgotten",
      "this.#postponed.set(unsubscription,",
      "new Map().set(unsubscription,",
    ],
    ["a subscription that ended with its connection is unsubscribed", "this.#postponed.clear();", ""],
    [
      "an unsubscribe that was refused counts as done",
      "failure ?? this.#disagreement(unsubscription, outcome)",
      "failure",
    ],
  ],
};
