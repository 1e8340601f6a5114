/** Mutants of `src/instances/instance-registry.ts`. */
export default {
  tests: ["test/contract/instances"],
  mutants: [
    [
      "anybody finds an instance",
      "if (entry && !entry.gone && entry.owner === owner && entry.port.name === upstream)",
      "if (entry && !entry.gone)",
    ],
    ["an instance in use is idle", "if (client.isUsed) entry.usedMs = now + TICK_MS;", ""],
    ["there is no limit", "if (this.#openOf(upstream) >= instances.max)", "if (false)"],
    ["a deleted instance waits for its replies", "{ ...bounds, drain: 0 }", "bounds"],
  ],
};
