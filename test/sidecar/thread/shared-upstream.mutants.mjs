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
    [
      "every replica pushes to webhooks",
      "this.#settings.webhooks.length > 0 && this.#mayWrite",
      "this.#settings.webhooks.length > 0",
      { tests: ["test/cluster/webhooks"] },
    ],
    ["an owner that leaves goes on pushing", "    this.#push.leave();\n", "", { tests: ["test/cluster/webhooks"] }],
    [
      "an owner that leaves does not wait for its push",
      " || !this.#push.isAtRest",
      "",
      { tests: ["test/cluster/webhooks"] },
    ],
    [
      "an early handover does not wait for the push under way",
      "    if (settled) await settled;\n",
      "",
      { tests: ["test/cluster/webhooks"] },
    ],
  ],
};
