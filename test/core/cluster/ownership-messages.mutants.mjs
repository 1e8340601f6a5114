/** Mutants of `src/core/cluster/ownership-messages.ts`. */
export default {
  tests: ["test/core/cluster/ownership.test"],
  mutants: [
    ["a beat is longer than a message may be", "export const BEAT_MAX = 2_000;", "export const BEAT_MAX = 20_000;"],
    ["a part has only what is owned", "released: released.slice(from, to)", "released"],
    [
      "what was released is told as far as what is owned goes",
      "Math.max(owned.length, released.length)",
      "owned.length",
    ],
    ["a member that owns nothing is not heard", "Math.max(1, Math.ceil(", "Math.max(0, Math.ceil("],
  ],
};
