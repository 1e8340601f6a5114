/** Mutants of `src/telemetry/telemetry.ts`. */
export default {
  tests: ["test/telemetry", "test/contract/seen"],
  mutants: [
    [
      "strangers push the failures of upstreams out",
      "(upstream === undefined ? this.#failures.others : this.#failures.ofUpstreams).add(failed);",
      "this.#failures.ofUpstreams.add(failed);",
    ],
    ["a failure is not remembered", "      this.failed(request, failure);\n", ""],
    ["replies are not measured", "else if (reply) latency?.replied(request.totalMs, request.endedAt);", ""],
    ["an upstream is watched for good", "this.#upstreams.get(name)?.unwatch();", ""],
  ],
};
