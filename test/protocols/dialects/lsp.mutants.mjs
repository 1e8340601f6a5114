/** Mutants of `src/protocols/dialects/lsp.ts`. */
export default {
  tests: ["test/protocols/dialects"],
  mutants: [
    [
      "a caller who leaves cancels nothing",
      'cancel: (id) => JSON.stringify(notification("$/cancelRequest", { id })),',
      "",
    ],
    [
      "settings go out, but are not given when asked for",
      "values ? withSettings(protocol, values) : protocol",
      "protocol",
    ],
    ["any number of settings is copied", "sections.length === ITEMS_MAX", "false"],
    ["the path of a section ends at its first key", 'section.split(".")', 'section.split(".", 1)'],
    [
      "the server may ask for settings that there are not",
      "ownCapabilities(values !== undefined)",
      "ownCapabilities(true)",
    ],
  ],
};
