/** Mutants of `src/recording/recorded-protocol.ts`. */
export default {
  tests: ["test/recording/playback"],
  mutants: [["UUIDs of other processes are no ids", "preset(settings, ANY_SEED)", "preset(settings)"]],
};
