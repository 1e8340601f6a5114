/** Mutants of `src/config/mistaken-variables.ts`. */
export default {
  tests: ["test/config/mistaken-variables"],
  mutants: [
    [
      "no variable is the user's own",
      "named.includes(name) ? undefined : readVariable(env, name)",
      "readVariable(env, name)",
    ],
    ["an address of Kubernetes is a mistake", "&& !OF_KUBERNETES.test(value)", ""],
    ["only the first mistake is told", "given.map(([name", "given.slice(0, 1).map(([name"],
  ],
};
