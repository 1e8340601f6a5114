/** Mutants of `src/config/load.ts`. */
export default {
  tests: ["test/config/load"],
  mutants: [["bounds beyond a container's grace period pass unnoticed", "total > CONTAINER_GRACE_MS", "total < 0"]],
};
