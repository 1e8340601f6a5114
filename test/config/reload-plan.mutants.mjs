/** Mutants of `src/config/reload-plan.ts`. */
export default {
  tests: ["test/config/reload-plan"],
  deno: true,
  mutants: [
    ["a new login is another upstream", "!login.includes(key)", "login.length > 0"],
    [
      "any option of a preset is its login",
      "filter(([key]) => !login.includes(key))",
      "filter(([key]) => key === 'preset')",
    ],
    ["a new secret changes nothing", "before.get(path) !== after.get(path)", "false"],
    [
      "the weakest means win",
      '(["replaced", "rotated", "in_place"] as const)',
      '(["in_place", "rotated", "replaced"] as const)',
    ],
    [
      "what needs a restart is forgotten",
      "{ ...after.config, listen, certificate, cluster, limits, demo, upstreams }",
      "after.config",
    ],
    ["a renewed certificate is not told of", "if (isRenewed) applied.push(CERTIFICATE);", ""],
    ["a module counts as loaded again", "if (former !== undefined) digests.set(path, former);", ""],
  ],
};
