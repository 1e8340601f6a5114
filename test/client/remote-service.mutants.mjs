/** Mutants of `src/client/remote-service.ts`. */
export default {
  tests: ["test/contract/client", "test/client/remote-service"],
  mutants: [
    ["what sends no message may have sent it", 'call.method === "GET" ? "no" : "maybe"', '"maybe"'],
    ["any failure to connect may have sent it", 'isNotConnected(error) ? "no" : sent', "sent"],
    ["a body in chunks has one bound for all of them", "      onPart?.();\n", ""],
    ["a large chunk has one bound for all of it", "const PART_BYTES = 65_536", "const PART_BYTES = 1e9"],
    ["whatever has a status is a failure of sidesocket", 'if (typeof code !== "string")', "if (false)"],
  ],
};
