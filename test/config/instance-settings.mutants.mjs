/** Mutants of `src/config/instance-settings.ts`. */
export default {
  tests: ["test/config/instance-settings"],
  mutants: [
    ["a parameter may stand before the host", "if (paramsIn(authority).size > 0)", "if (false)"],
    ["an upstream that lacks a credential connects itself", "|| instances?.credential !== undefined", ""],
    ["a template has webhooks", "if (webhooks.length > 0)", "if (false)"],
    ["a credential takes the place of a configured header", "const isTaken =", "const isTaken = false &&"],
  ],
};
