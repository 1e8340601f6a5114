/** Mutants of `src/http/app-frame.ts`. */
export default {
  tests: ["test/contract/seen", "test/contract/metrics"],
  mutants: [
    ["a refused request is not reported", "    ended(response);\n", ""],
    ["a served request is not reported", "return next().then(() => ended(c.res));", "return next();"],
  ],
};
