/** Mutants of `src/instances/instance-registry.ts`. */

/** Its service has no tokens, so that the limit comes before a share, and the usual bounds of the exit. */
const SOAK = { tests: ["test/soak/instances"] };

export default {
  tests: ["test/contract/instances", "test/contract/instance-ends"],
  mutants: [
    [
      "anybody finds an instance",
      "if (entry && !entry.gone && entry.owner === owner && entry.port.name === upstream)",
      "if (entry && !entry.gone)",
    ],
    ["an instance in use is idle", "if (client.isUsed) entry.usedMs = now + TICK_MS;", ""],
    ["there is no limit", "if (this.#openOf(upstream) >= instances.max)", "if (false)", SOAK],
    ["a deleted instance waits for its replies", "{ ...bounds, drain: 0 }", "bounds", SOAK],
    ["an ended instance holds its place", "this.#entries.delete(id);", ""],
    ["an ended instance holds its share", "    onEnd();", ""],
    ["values that fit no more stay", "if (!filled) return this.#end", "if (false) return this.#end"],
  ],
};
