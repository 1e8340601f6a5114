/** Mutants of `src/core/messages/subscriptions.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  deno: true,
  mutants: [
    [
      "a new connection renews no subscription",
      "for (const subscription of this.#byName.values()) this.#request(subscription);",
      "",
    ],
    ["a removed subscription is renewed", "this.#byName.delete(name);", ""],
    ["removing an unanswered subscription has no effect", "subscription.removed = true;", ""],
    ["a removed subscription still fails", "if (!subscription.removed) this.#fail(", "this.#fail("],
    ["messages before the reply are lost", "for (const json of this.#early) this.#deliver(subscription, json);", ""],
    ["messages before the reply are kept for others", "if (this.#inFlight.size === 0) this.#forgetEarly();", ""],
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
    ["an upstream id outlives its connection", "subscription.upstreamId = undefined;", ""],
    ["a reply of a lost connection counts", "this.#inFlight.clear();", ""],
    ["a failed subscription is retried without a connection", "subscription.retryAt = undefined;\n      if", "if"],
    [
      "a failed subscription is retried one millisecond too soon",
      "subscription.retryAt <= now",
      "subscription.retryAt <= now + 1",
    ],
    ["success does not reset the retry delay", "subscription.failures = 0;", ""],
    ["a subscription confirmed too late stays", "this.#remember(number, subscription);", ""],
    ["a late confirmation of a lost connection counts", "this.#timedOut.clear();", ""],
    [
      "removing one subscription ends another",
      "unsubscribeMessage({ recipe, id }) === message",
      "unsubscribeMessage({ recipe, id }) === undefined",
    ],
    [
      "an unsubscribe that found no room is forgotten",
      "this.#postponed.set(unsubscription",
      "new Map().set(unsubscription",
    ],
    ["a subscription that ended with its connection is unsubscribed", "this.#postponed.clear();", ""],
    ["a failed subscription is retried at once", "Math.max(retry.from, fullJitter", "Math.max(0, fullJitter"],
  ],
};
