/** Mutants of `src/http/openapi.ts`. */
export default {
  tests: ["test/contract/openapi"],
  mutants: [
    ["no failure is described", 'registry.registerComponent("responses", name, response);', "void response;"],
    ["the parts of an order are missing", "{ ...parts, SubscriptionOrder: schema }", "{ SubscriptionOrder: schema }"],
    ["the probes need a token", "isNeeded && !BARE_PROBES.has(path)", "isNeeded"],
    ["no token is ever required", "isNeeded && !BARE_PROBES.has(path)", "path === TOKEN.token.join()"],
  ],
};
