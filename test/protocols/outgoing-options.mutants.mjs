/** Mutants of `src/protocols/outgoing-options.ts`. */
export default {
  tests: ["test/config/placeholder-places"],
  mutants: [
    ["dialects have no such options", "Object.keys(outgoing)]", "[]]"],
    ["another preset's options go out, too", "BY_PRESET.get(String(protocol.preset)) ?? []", '["token", "password"]'],
  ],
};
