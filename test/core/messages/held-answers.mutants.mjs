/** Mutants of `src/core/messages/held-answers.ts`. */
export default {
  tests: ["test/core/messages/held-answers"],
  mutants: [
    ["an answer goes out for each delivery", "this.#waiting.delete(waiting);", ""],
    ["an acknowledgement leaves out its own message", "place.seq <= through", "place.seq < through"],
    ["an acknowledgement concerns every journal", "place.journal === journal && ", ""],
    ["answers outlive their connection", "answer.connection === connection", "false"],
    ["answers wait without a bound", "this.#waiting.size >= HELD_MAX", "false"],
    ["an answer goes out after its time", "until <= now", "until < 0"],
  ],
};
