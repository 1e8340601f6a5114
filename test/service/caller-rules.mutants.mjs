/** Mutants of `src/service/caller-rules.ts`. */
export default {
  tests: ["test/contract/listeners"],
  mutants: [
    ["a socket serves any Host", "const hosts = openShutdown ||", "const hosts = (openShutdown && !listen.path) ||"],
  ],
};
