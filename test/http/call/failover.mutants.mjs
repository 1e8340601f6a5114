/** Mutants of `src/http/call/failover.ts`. */
export default {
  tests: ["test/http/call/failover"],
  deno: true,
  mutants: [
    ["a key fails over where replicas share the upstream", "(request.key !== undefined && upstream.isShared)", "false"],
    ["no key fails over", "request.key !== undefined && upstream.isShared", "request.key !== undefined"],
    [
      "nothing fails over where replicas share the upstream",
      "request.key !== undefined && upstream.isShared",
      "upstream.isShared",
    ],
  ],
};
