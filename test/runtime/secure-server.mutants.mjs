/** Mutants of `src/runtime/secure-server.ts`. */
export default {
  tests: ["test/runtime/listener"],
  mutants: [["any version of TLS is agreed to", "minVersion: `TLSv${minVersion}`,", ""]],
};
