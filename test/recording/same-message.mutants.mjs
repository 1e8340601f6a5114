/** Mutants of `src/recording/same-message.ts`. */
export default {
  tests: ["test/recording/playback"],
  mutants: [
    ["additional members are overlooked", "if (keys.length !== Object.keys(other).length) return false;", ""],
    [
      "the end behind a masked text is not compared",
      "return live.length - last.length >= at && live.endsWith(last);",
      "return true;",
    ],
    ["the beginning before a masked text is not compared", "!live.startsWith(first)", "false"],
  ],
};
