/** Mutants of `src/instances/instance-registry.ts`. */

/** Its service has no tokens, so that the limit comes before a share, and the usual bounds of the exit. */
const SOAK = { tests: ["test/soak/instances"] };

/** Opens one too many, and counts what is looked at. */
const REGISTRY = { tests: ["test/instances/instance-registry"] };

export default {
  tests: ["test/contract/instances", "test/contract/instance-ends"],
  mutants: [
    [
      "anybody finds an instance",
      "if (entry && !entry.gone && entry.owner === owner && entry.port.name === upstream)",
      "if (entry && !entry.gone)",
    ],
    ["an instance in use is idle", "if (client.isUsed) entry.usedMs = now + TICK_MS;", ""],
    ["there is no limit", "if (counts.open >= instances.max)", "if (false)", REGISTRY],
    ["a deleted instance waits for its replies", "{ ...bounds, drain: 0 }", "bounds", SOAK],
    ["an ended instance holds its place", "counts.open--;", "", REGISTRY],
    ["an ended instance is still its owner's", "owned?.delete(entry);", ""],
    [
      "the instances of all are looked at",
      "this.#owned.get(ownerIn(upstream, owner)) ?? []",
      "[...this.#entries.values()].filter((each) => each.owner === owner)",
      REGISTRY,
    ],
    ["an ended instance holds its share", "    onEnd();", ""],
    ["values that fit no more stay", "if (!filled) return this.#end", "if (false) return this.#end"],
  ],
};
