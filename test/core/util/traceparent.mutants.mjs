/** Mutants of `src/core/util/traceparent.ts`. */
export default {
  tests: ["test/core/util/traceparent"],
  mutants: [
    ["upper case passes", "(code >= 0x61 && code <= 0x66)", "(code >= 0x41 && code <= 0x66)"],
    ["a trace of zeros passes", "traceId === NO_TRACE || ", ""],
    ["version 00 may have more", "(isKnown || header", "(header"],
    ["dashes are not looked at", "code !== DASH : ", "false : "],
  ],
};
