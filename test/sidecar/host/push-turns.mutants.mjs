/** Mutants of `src/sidecar/host/push-turns.ts`. */
export default {
  tests: ["test/sidecar/host/push-turns.test"],
  deno: true,
  mutants: [
    ["rest is told before it is there", "    await Promise.all(rests);\n", ""],
    ["any number of messages is pushed and not kept", "sum >= UNKEPT_MAX", "sum < 0"],
    ["one message less is pushed at a time", "sum >= UNKEPT_MAX", "sum >= UNKEPT_MAX - 1"],
    ["what waits is not told that it is kept", "if (!this.#isFull) this.#goOn();", ""],
    ["what waits outlasts its turn", "    this.#goOn();\n    await", "    await"],
    [
      "a pusher of a reload begins anew",
      "pusher.push(this.#places.get(id));\n      // One",
      "pusher.push(undefined);\n      // One",
    ],
    [
      "a pusher whose id has changed begins anew elsewhere",
      "known !== undefined && known !== id",
      "known === undefined",
    ],
    ["what is under way outlasts the service", "pusher.stop();", "void pusher;"],
  ],
};
