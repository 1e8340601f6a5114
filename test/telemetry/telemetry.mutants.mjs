/** Mutants of `src/telemetry/telemetry.ts`. */
export default {
  tests: ["test/telemetry", "test/contract/seen"],
  mutants: [
    [
      "strangers push the failures of upstreams out",
      "(upstream === undefined ? this.#failures.others : this.#failures.ofUpstreams).add(failed);",
      "this.#failures.ofUpstreams.add(failed);",
    ],
    ["a failure is not remembered", "if (failure) this.failed(request, failure);", ""],
    ["replies are not measured", "else if (reply) latency?.replied(request.totalMs, request.endedAt);", ""],
    ["the replies of an instance are not its own", "of [upstream, instance])", "of [upstream])"],
    ["an upstream is watched for good", "this.#upstreams.get(name)?.unwatch();", ""],
  ],
};
