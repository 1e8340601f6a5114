/** Mutants of `src/sidecar/thread/shared-upstream.ts`. */
export default {
  tests: ["test/cluster/replicas"],
  mutants: [
    ["the fence is off", "    return mayWrite;", "    return true;", { tests: ["test/cluster/stopped-owner"] }],
    [
      "requests at an owner that released are given up",
      "    this.#forwarding.onReleased(address);",
      "",
      { tests: ["test/cluster/handover"] },
    ],
  ],
};
