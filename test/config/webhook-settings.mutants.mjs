/** Mutants of `src/config/webhook-settings.ts`. */
export default {
  tests: ["test/config/schema"],
  mutants: [
    ["a webhook's url that is none ends the start with an exception", "abort: true,\n  })", "abort: false,\n  })"],
  ],
};
