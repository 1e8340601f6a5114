/** Mutants of `src/runtime/deno.port.ts`. */
export default {
  tests: ["test/runtime/deno-port"],
  deno: true,
  mutants: [
    ["a port is hidden, and gets no methods", "bringsPort ? message : ", ""],
    ["nothing is hidden", "bringsPort ? message", "!bringsPort || bringsPort ? message"],
    ["nothing that is transferred is hidden", "!(each instanceof ArrayBuffer)", "each !== undefined"],
  ],
};
