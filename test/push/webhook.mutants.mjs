/** Mutants of `src/push/webhook.ts`. */
export default {
  tests: ["test/push/webhook.test"],
  deno: true,
  mutants: [
    [
      "a push under way is cut by the end of its turn",
      "    this.#endPause();\n    await",
      "    this.#abort();\n    await",
    ],
    ["nothing waits for the push under way", "    await this.#delivery;\n", ""],
    ["a replica goes on in its own place", "this.#done = furtherOf(this.#done, from);", ""],
    ["what is pushed is not kept", "this.#done === place ? turns?.pushed", "this.#done !== place ? turns?.pushed"],
    [
      "a turn that has ended begins another push",
      "if (full) await full;\n      if (this.#stopped || turn !== this.#turn)",
      "if (full) await full;\n      if (this.#stopped)",
    ],
    ["the place of an older turn is kept", "return this.#done === place ? turns", "return this.#done ? turns"],
    ["a pause goes on after its turn", "    this.#endPause();\n", ""],
    ["the first place is not kept", "    void turns.pushed(this, cursor, 0);\n", ""],
    [
      "a journal that cannot be read ends the webhook",
      "this.#options.turns && mayPass(end)",
      "mayPass(end) && !this.#options.turns",
    ],
    [
      "a fault of the cluster looks like another owner",
      "this.#isElsewhere = why === undefined;",
      "this.#isElsewhere = true;",
    ],
    ["replicas that do not push say that they do", "      this.#isElsewhere = true;\n", ""],
  ],
};
