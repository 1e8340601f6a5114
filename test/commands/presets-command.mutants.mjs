/** Mutants of `src/commands/presets-command.ts`. */
export default {
  tests: ["test/commands/presets-command"],
  mutants: [
    ["any name is a preset", "if (!Object.hasOwn(guides, preset))", "if (false)"],
    ["the start lacks its lines", "...start].join", "].join"],
  ],
};
