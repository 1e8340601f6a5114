/** Mutants of `src/sidecar/thread/module-reports.ts`. */
export default {
  tests: ["test/contract/protocol-module"],
  mutants: [
    ["what a module prints goes to standard output", "takePrints(print);", ""],
    ["an exception that nothing catches is not reported", 'process.on("uncaughtException", onException);', ""],
  ],
};
