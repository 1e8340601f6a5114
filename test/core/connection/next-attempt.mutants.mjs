/** Mutants of `src/core/connection/next-attempt.ts`. */
export default {
  tests: ["test/core/connection/session", "test/core/connection/liveness", "test/core/connection/rotation"],
  deno: true,
  mutants: [
    ["a connection that ends at once has served", "if (age < SERVED_MS) return", "if (age < SERVED_MS * 0) return"],
    [
      "brief service after brief service forgives all",
      "{ failures: flaps, flaps: flaps + 1, served: true }",
      "{ failures: 0, flaps: flaps + 1, served: true }",
    ],
    ["failures are not counted", "failures: failures + 1, flaps", "failures, flaps"],
    ["giving up leaves the socket open", '    ...before,\n    { type: "destroy", connection },', "    ...before,"],
  ],
};
