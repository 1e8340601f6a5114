/** Mutants of `src/http/app-frame.ts`. */
export default {
  tests: ["test/contract/seen", "test/contract/metrics"],
  mutants: [
    ["a refused request is not reported", "return ended(response);", "return response;"],
    ["a served request is not reported", "response.then(ended, (", "response.then((one) => one, ("],
    ["a request that fails at once is not reported", "return ended(failed(error, c));", "return failed(error, c);"],
    ["a request that fails later is not reported", "(error) => ended(failed(error, c))", "(error) => failed(error, c)"],
    ["a refused request has no route", 'c.get("record").route ??= app.routesAt(c.req.path).template;', ""],
  ],
};
