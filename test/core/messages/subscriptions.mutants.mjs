/** Mutants of `src/core/messages/subscriptions.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  deno: true,
  mutants: [
    [
      "a new connection renews no subscription",
      "for (const subscription of this.#byName.values()) if (!isFinal(subscription)) this.#request(subscription);",
      "",
    ],
    [
      "a new connection repeats what must not be repeated",
      "if (!isFinal(subscription)) this.#request(subscription);",
      "this.#request(subscription);",
    ],
    ["a removed subscription is renewed", "this.#byName.delete(name);", ""],
    ["removing an unanswered subscription has no effect", "this.#leaving.add(subscription);", ""],
    [
      "messages before the reply are lost",
      "for (const frame of early?.list ?? []) this.#deliver(subscription, frame, context);",
      "",
    ],
    [
      "messages before the reply are kept for others",
      'if (![...this.#all()].some((each) => each.stage.phase === "asking")) this.#early = undefined;',
      "",
    ],
    ["early messages that were dropped are no gap", "if (isMissing) this.#effects", "if (false) this.#effects"],
    ["a reply of a lost connection counts", "this.#inFlight.clear();", ""],
    [
      "a failed subscription is retried one millisecond too soon",
      "subscription.dueAt <= now",
      "subscription.dueAt <= now + 1",
    ],
    [
      "the end of a connection does not reset the retry delay",
      "subscription.failures = 0;\n      const isSent",
      "const isSent",
    ],
    [
      "one that ends each time is requested hotly",
      "if (heardAt > since && heardAt - since >= context.retry.stable) subscription",
      "subscription",
    ],
    ["a subscription confirmed too late stays", "if (isOpen) this.#remember(number, subscription);", ""],
    ["a late confirmation of a lost connection counts", "this.#timedOut.clear();", ""],
    [
      "a failed subscription is retried at once",
      "const delay = Math.max(retry.from, least, backoff);",
      "const delay = backoff;",
    ],
    [
      "what may have been sent is sent again",
      'if (!subscription.recipe.renews && failure.sent !== "no") {',
      "if (false) {",
    ],
    [
      "what was lost while asking is sent again",
      "if (!recipe.renews && isSent) {",
      'if (!recipe.renews && stage.phase === "active") {',
    ],
    [
      "a silent subscription stays at the upstream",
      "this.#unsubscriptions.begin({ recipe, id: stage.id, removal: undefined });",
      "",
    ],
    ["a message does not postpone the silence", "stage.heardAt = context.now;", ""],
    ["an agreement that cannot be read is left behind", "this.#undoUnclear(recipe, stage, result);", ""],
  ],
};
