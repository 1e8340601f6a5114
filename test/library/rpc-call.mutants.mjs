/** Mutants of `src/library/rpc-call.ts`. */
export default {
  tests: ["test/contract/async-upstream"],
  mutants: [
    [
      "an error of the upstream is no error",
      'if ("error" in value && value.error !== null && value.error !== undefined) throw rpcFailure(value.error);',
      "",
    ],
    ["the upstream's details are lost", "...(data !== undefined && { data })", "...{}"],
  ],
};
