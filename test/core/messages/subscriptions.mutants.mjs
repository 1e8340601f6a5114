/** Mutants of `src/core/messages/subscriptions.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  deno: true,
  mutants: [
    [
      "a new connection renews no subscription",
      "for (const subscription of this.#byName.values()) this.#ask(subscription);",
      "",
    ],
    ["a removed subscription is renewed", "this.#byName.delete(name);", ""],
    ["removing an unanswered subscription has no effect", "subscription.removed = true;", ""],
    ["a removed subscription still fails", "if (!subscription.removed) this.#fail(", "this.#fail("],
    ["messages before the reply are lost", "for (const json of this.#early) this.#tell(subscription, json);", ""],
    ["messages before the reply are kept for others", "if (this.#asked.size === 0) this.#forgetEarly();", ""],
    [
      "messages before the reply have no bound",
      "this.#early.length < EARLY_MAX &&",
      "this.#early.length < EARLY_MAX * 1e9 &&",
    ],
    [
      "the characters of messages before the reply have no bound",
      "this.#earlyCharacters < EARLY_CHARACTERS",
      "this.#earlyCharacters < EARLY_CHARACTERS * 1e9",
    ],
    ["a lost connection's upstream name is still known", "subscription.isOurs = undefined;", ""],
    ["a reply of a lost connection counts", "this.#asked.clear();", ""],
    ["a failed subscription is retried without a connection", "subscription.retryAt = undefined;\n      if", "if"],
    [
      "a failed subscription is retried one millisecond too soon",
      "subscription.retryAt <= now",
      "subscription.retryAt <= now + 1",
    ],
    ["success does not reset the retry delay", "subscription.failures = 0;", ""],
    ["a subscription confirmed too late stays", "this.#remember(number, subscription);", ""],
    ["a late confirmation of a lost connection counts", "this.#unanswered.clear();", ""],
    [
      "removing one subscription ends another",
      "undoing(theirs, known) === message",
      "undoing(theirs, known) === undefined",
    ],
    ["an unsubscribe that found no room is forgotten", "this.#untold.set(undoing", "new Map().set(undoing"],
    ["a subscription that ended with its connection is unsubscribed", "this.#untold.clear();", ""],
    ["a failed subscription is retried at once", "Math.max(retry.from, fullJitter", "Math.max(0, fullJitter"],
  ],
};
