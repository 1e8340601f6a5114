/** Mutants of `src/protocols/groups.ts`. */
export default {
  tests: ["test/protocols/condition-places", "test/core/messages/subscriptions"],
  mutants: [
    ["a group that the pattern lacks is one", "if (fault !== undefined) throw", "if (fault === null) throw"],
    ["a place may be a group of no pattern", "if (pattern === undefined) return", "if (pattern === null) return"],
    ["the text around a group goes with it", "text.slice(0, found.part.start) + by", "by"],
  ],
};
