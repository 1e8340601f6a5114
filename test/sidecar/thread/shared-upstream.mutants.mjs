/** Mutants of `src/sidecar/thread/shared-upstream.ts`. */
export default {
  tests: ["test/cluster/replicas"],
  mutants: [
    [
      "callers of other replicas hear nothing of a removal",
      "for (const seq of [...this.#taken.keys()])",
      "for (const seq of [] as number[])",
      { tests: ["test/sidecar/thread/shared-upstream"] },
    ],
    [
      "a key is not claimed",
      "if (command.key) {",
      "if (command.key === null) {",
      { tests: ["test/cluster/idempotency"] },
    ],
    [
      "the owner does not learn of a key",
      "key: command.key,",
      "key: undefined,",
      { tests: ["test/cluster/idempotency"] },
    ],
    [
      "the late reply to a key is lost",
      "if (this.#keyed.has(message.seq)) this.#keyed.ended(message.seq, this.#outcomeFor(message.outcome));",
      "if (this.#keyed.has(message.seq)) return;",
      { tests: ["test/cluster/idempotency"] },
    ],
    [
      "a replay at another replica is not called one",
      '{ type: "settled", outcome, isReplayed }',
      '{ type: "settled", outcome }',
      { tests: ["test/cluster/idempotency"] },
    ],
    [
      "a caller of another replica hears that its own service stopped",
      'end === "not_owner" ? end : asOwnerLost(end)',
      "end",
      { tests: ["test/cluster/idempotency"] },
    ],
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
