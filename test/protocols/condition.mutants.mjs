/** Mutants of `src/protocols/condition.ts`. */
export default {
  tests: ["test/protocols/condition-places", "test/core/messages/subscriptions"],
  mutants: [
    ["a group may lack its value", "json === undefined || holds === undefined", "holds === undefined"],
    ["a group that must not be there may be", "? json === holds", "? true"],
    ["an id that is a number is none in text", "JSON.stringify(textOfScalar(id))", "id"],
    ["a failure quotes the whole frame", "if (json !== undefined) return textOfScalar(json);", ""],
  ],
};
