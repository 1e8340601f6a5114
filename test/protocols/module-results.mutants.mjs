/** Mutants of `src/protocols/module-results.ts`. */
export default {
  tests: ["test/protocols/module"],
  mutants: [
    ["what is no text is not kept", "JSON.stringify(value)", "JSON.stringify(undefined)"],
    ["JSON is kept as text", "{ json: true, render: () => text }", "{ render: () => text }"],
    ["a promise is a message", 'isObject(value) && "then" in value', "false"],
    ["a tick sends any number of frames", "list.length > MAX_FRAMES", "false"],
  ],
};
